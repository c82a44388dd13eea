"""The last minute of the music, a row a step, and what it tells of a turn. Pure.

A row: bass in dB, onsets a second, octaves of brightness, level in dB, then the power of each of `BANDS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC, mel_frequencies
from stream_analyzer.analysis.steps import STEPS_PER_SECOND

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

KEPT = 60 * STEPS_PER_SECOND
HELD = 5  # steps that the bass must hold before a drop is told
GONE_DB = 8.0  # bass so far below that of the groove is none
BANDS_HZ = ((0.0, 90.0), (6_000.0, 12_000.0), (0.0, 12_000.0))  # the kick without the snare, hiss and cymbals, all
BASS, ONSETS, OCTAVES, LEVEL, SUB = range(5)
POWERS = slice(SUB, SUB + len(BANDS_HZ))
_NOW, _BEFORE = slice(-40, None), slice(-100, -60)  # what a build-up is heard by: the last 4 s, and 10 to 6 s ago
_MOST = ((-1.0, 1.5), (-4.0, 8.0), (-10.0, 10.0))  # of octaves, onsets a second and dB, what one may count
_SCALE = np.array([1.0, 4.0, 10.0])
_BEAT = 5  # steps that a band is averaged over, to tell what is gone from what lies between two kicks
_AWAY_DB = 6.0


class Past:
    """The newest rows. State: a buffer of twice as many, so that they always lie in one piece, and where they end."""

    def __init__(self) -> None:
        """Begin."""
        self._rows = np.zeros((2 * KEPT, POWERS.stop))
        self._end = 0

    def push(self, row: tuple[float, ...]) -> None:
        """Take a row."""
        if self._end == len(self._rows):
            self._rows[:KEPT] = self._rows[KEPT:]
            self._end = KEPT
        self._rows[self._end] = row
        self._end += 1

    def rows(self, *, but: int = 0) -> F64:
        """Return all rows [n, columns] but the newest."""
        end = self._end - but
        return self._rows[max(0, end - KEPT) : end]


class Bands:
    """Sums the power of log-mel frames up in each of `BANDS_HZ`."""

    def __init__(self) -> None:
        """Prepare the weights of the mel bands."""
        edges_hz = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)
        width, centre_hz = edges_hz[2:] - edges_hz[:-2], edges_hz[1:-1]  # the width takes their area norm back
        inside = [(low <= centre_hz) & (centre_hz < high) for low, high in BANDS_HZ]
        self._weights = (width * np.array(inside)).T.astype(np.float32)
        self._floor = np.float32(1.01 * SPEC.power_floor)

    def powers(self, frames: F32) -> tuple[float, ...]:
        """Return the mean power of frames [n, mel bands] in each band, 0 without any."""
        if not len(frames):
            return (0.0,) * len(BANDS_HZ)
        power = np.maximum(np.exp(frames) - self._floor, 0.0).mean(axis=0)
        return tuple((power @ self._weights).tolist())


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


def jump_db(rows: F64) -> float:
    """Return by how much the lowest band rose `HELD` steps ago, from the second before."""
    at = len(rows) - HELD - 1
    after, before = rows[at:, SUB].sum() / (HELD + 1), rows[at - 14 : at - 2, SUB].sum() / 12
    return 10.0 * float(np.log10((after + 1e-6) / (before + 1e-6)))


def returned(rows: F64) -> F64:
    """Return what tells a drop `HELD` steps ago from other returns of the bass: 17 values.

    For each band in tens of dB, but for the share: how far it lies above the second before, above the four seconds
    before and above the groove, how much it had risen before, and for which share of eight seconds it had been away.
    Last come the rises of brightness and onsets.
    """
    at = len(rows) - HELD - 1
    after = _mean_db(rows[at:, POWERS])
    sums = np.cumsum(np.pad(rows[: at - 2, POWERS], ((1, 0), (0, 0))), axis=0)
    beats = _db((sums[_BEAT:] - sums[:-_BEAT]) / _BEAT)
    groove = np.sort(beats, axis=0)[int(0.75 * (len(beats) - 1))]
    before = [_mean_db(rows[at - steps : at - 2, POWERS]) for steps in (12, 40)]
    rise = _mean_db(rows[at - 15 : at - 3, POWERS]) - _mean_db(rows[at - 80 : at - 50, POWERS])
    decibels = np.clip(np.array([*(after - one for one in before), after - groove, rise]) / 10.0, -2.0, 3.0)
    away = (beats[-80:] < groove - _AWAY_DB).mean(axis=0)
    return np.concatenate([decibels.ravel(), away, rises(rows[: at - 2])[:2]])


def _mean_db(powers: F64) -> F64:
    return _db(powers.mean(axis=0))


def _db(power: F64) -> F64:
    return np.asarray(10.0 * np.log10(np.maximum(power, 0.0) + 1e-6))
