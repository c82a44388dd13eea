"""Real-time music analyzer: genre and tempo of live sound, streamed to whoever subscribes."""

__version__ = "0.1.0"
