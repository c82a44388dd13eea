"""Writes a line whenever genre or tempo settle on something new, and says what it missed. No asyncio."""

from stream_analyzer.client import Gap, Lost, subscribe_blocking
from stream_analyzer.types import Genre, Tempo

genre, bpm = "", 0.0
for received in subscribe_blocking("127.0.0.1:8765", types="tempo,genre"):
    match received.event:
        case Genre(label=label, state="music") if label and label != genre:
            genre = label
            print(f"{received.event.time_s:7.1f} s  {genre}", flush=True)
        case Tempo(bpm=now, state="locked") if abs(now - bpm) > 2:
            bpm = now
            print(f"{received.event.time_s:7.1f} s  {bpm:.0f} BPM", flush=True)
        case Gap(kind=kind, missed=missed):
            print(f"missed {missed} of {kind}", flush=True)
        case Lost(reason=reason):
            print(f"no analyzer: {reason}", flush=True)
