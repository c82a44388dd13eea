"""The last minute of bass, onsets, brightness and level, a row a step, and what it tells of the music. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.steps import STEPS_PER_SECOND

if TYPE_CHECKING:
    from stream_analyzer.types import F64

KEPT = 60 * STEPS_PER_SECOND
GONE_DB = 8.0  # bass so far below that of the groove is none
BASS, ONSETS, OCTAVES, LEVEL = range(4)
_NOW, _BEFORE = slice(-40, None), slice(-100, -60)  # what a build-up is heard by: the last 4 s, and 10 to 6 s ago
_MOST = ((-1.0, 1.5), (-4.0, 8.0), (-10.0, 10.0))  # of octaves, onsets a second and dB, what one may count
_SCALE = np.array([1.0, 4.0, 10.0])


class Past:
    """The newest rows. State: a buffer of twice as many, so that they always lie in one piece, and where they end."""

    def __init__(self) -> None:
        """Begin."""
        self._rows = np.zeros((2 * KEPT, 4))
        self._end = 0

    def push(self, row: tuple[float, float, float, float]) -> None:
        """Take a row: bass in dB, onsets a second, octaves of brightness, level in dB."""
        if self._end == len(self._rows):
            self._rows[:KEPT] = self._rows[KEPT:]
            self._end = KEPT
        self._rows[self._end] = row
        self._end += 1

    def rows(self, *, but: int = 0) -> F64:
        """Return all rows [n, 4] but the newest."""
        end = self._end - but
        return self._rows[max(0, end - KEPT) : end]


def groove_db(rows: F64) -> float:
    """Return the level of the bass while it plays."""
    return high(rows[:-20, BASS], 0.75)


def high(values: F64, share: float = 0.8) -> float:
    """Return the value that a share of the values lies below."""
    return float(np.sort(values)[int(share * (len(values) - 1))])


def rises(rows: F64) -> F64:
    """Return by how much brightness, onsets and level rose within some seconds, each as a share of what is much."""
    found = []
    for column, most in zip((OCTAVES, ONSETS, LEVEL), _MOST, strict=True):
        rise = high(rows[_NOW, column]) - high(rows[_BEFORE, column], 0.5)
        found.append(np.clip(rise, *most))
    return np.asarray(found / _SCALE)


def gone(rows: F64, below_db: float, seconds: float) -> float:
    """Return for which share of the last seconds there was no bass."""
    return float((rows[-round(seconds * STEPS_PER_SECOND) :, BASS] < below_db).mean())
