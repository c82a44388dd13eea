"""Beats and bars: what hears them, what follows them, and the head that says when they fall."""
