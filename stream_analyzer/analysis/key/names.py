"""The 24 keys by name and by their place on the Camelot wheel. Pure."""

from __future__ import annotations

TONICS = 12
MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
LABELS = (*(f"{name} major" for name in MAJOR), *(f"{name} minor" for name in MINOR))


def camelot(key: int) -> str:
    """Return the code of a key (0-11 major, 12-23 minor, C first): neighbours on the wheel mix.

    From one number to the next is a fifth; a major key (B) and its relative minor one (A) have the same.
    """
    tonic = key % TONICS if key < TONICS else (key + 3) % TONICS
    return f"{(7 * tonic + 7) % TONICS + 1}{'B' if key < TONICS else 'A'}"


def camelot_of(label: str | None) -> str | None:
    """Return the code of a key by its name, None if it is none."""
    return camelot(LABELS.index(label)) if label in LABELS else None
