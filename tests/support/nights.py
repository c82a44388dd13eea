"""A set log that a test fills: seconds of made-up music, written as the analyzer writes them."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from stream_analyzer.protocol.seconds import STATES, Second
from stream_analyzer.sets import writing
from stream_analyzer.sets.database import open_for_writing, transaction
from stream_analyzer.sets.parts import TEMPO_LATE_S, PartFinder
from stream_analyzer.sets.writing import Opening

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOCKED = STATES.index("locked")
PIECES = (("Electronic", 124.0, "A minor"), ("Jazz", 148.0, "F major"), ("Hip-Hop", 92.0, "D minor"))


def piece(
    start_s: int, length_s: int, genre: str = "Electronic", bpm: float = 124.0, key: str = "A minor"
) -> list[Second]:
    """Return the seconds of a piece."""
    top = ((genre, 0.75), ("Pop", 0.1))
    return [Second(start_s + at, bpm, 0.9, LOCKED, top, key, -12.0) for at in range(length_s)]


def pieces(length_s: int = 60) -> list[Second]:
    """Return the seconds of three pieces, one after another; a tempo is known some seconds after a cut."""
    found = [one for number, what in enumerate(PIECES) for one in piece(number * length_s, length_s, *what)]
    return [replace(one, bpm=found[max(0, at - TEMPO_LATE_S)].bpm) for at, one in enumerate(found)]


def opening(*, at: float = 0.0, source: str = "USB Audio", kind: str = "device", name: str = "main") -> Opening:
    """Return a session that begins."""
    return Opening(name, kind, source, "abcdef", at or time.time())


def write_night(path: Path, seconds: Iterable[Second], *, at: float = 0.0, source: str = "USB Audio") -> int:
    """Write a set that is over; return its number."""
    finder, begun = PartFinder(), opening(at=at, source=source)
    with closing(open_for_writing(path)) as connection, transaction(connection):
        place = writing.open_set(connection, begun, alone=False)
        for second in seconds:
            writing.write_second(connection, place, second, begun.at + second.time_s)
            for part in finder.add(second):
                writing.write_part(connection, place, part)
        writing.close_set(connection, place)
    return place.set_id
