"""What energy is made of, measured in the shared log-mel frames: loudness, bass, onsets, brightness. Pure.

Frames in are float32 [n, bands] of `SPEC`, in order; the same comes out however they are cut into steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC, mel_frequencies
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.analysis.tempo.onsets import onset_strength

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

SHORT_TERM_S = 3.0  # of loudness, as EBU R128 has it
BASS_S, BASS_BELOW_HZ = 0.4, 150.0  # a beat: less would follow every kick
ONSETS_S = 2.0
BRIGHT_S = 1.0
PEAK, ABOVE_MEAN, MEAN_S = 0.08, 1.5, 1.0  # an onset rises by so many nepers, and by so many times the mean of late
FLOOR_DB = -120.0
_FLOOR = np.float32(1.01 * SPEC.power_floor)
FULL_SCALE = SPEC.n_fft * 0.375 * SPEC.n_fft  # sum of the bands for a mean power of 1, by a Hann window


@dataclass(frozen=True, slots=True)
class Measured:
    """Loudness of the last 3 s as the ear weighs it and level of the bass, in dB re full scale; onsets; brightness."""

    loudness_db: float
    bass_dbfs: float
    onsets_per_s: float
    brightness_hz: float


class Measures:
    """The last seconds of what the frames amount to. State: sums for each step, and the last onset strengths."""

    def __init__(self) -> None:
        """Prepare the weights of the bands."""
        edges_hz = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)
        centre_hz = edges_hz[1:-1]
        width = edges_hz[2:] - edges_hz[:-2]  # takes the area norm of the bands back
        bass = centre_hz < BASS_BELOW_HZ
        self._powers = np.stack([width * k_weight(centre_hz), width * bass], axis=1).astype(np.float32)
        above = np.sqrt(width) * ~bass
        self._roots = np.stack([above, above * np.log2(centre_hz)], axis=1).astype(np.float32)
        steps = round(SHORT_TERM_S * STEPS_PER_SECOND)
        newest = [round(seconds * STEPS_PER_SECOND) for seconds in (SHORT_TERM_S, BASS_S, BRIGHT_S, ONSETS_S)]
        self._last_of = np.stack([np.arange(steps) >= steps - count for count in newest]).astype(np.float64)
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._rows = np.zeros((round(SHORT_TERM_S * STEPS_PER_SECOND), 6))
        self._strength = np.zeros(round(MEAN_S * SPEC.frames_per_second), np.float32)
        self._last: F32 | None = None

    def push(self, frames: F32) -> Measured:
        """Take the frames of a step; return what the last seconds amount to."""
        self._rows[:-1] = self._rows[1:]
        self._rows[-1] = 0.0
        if len(frames):
            powers = np.maximum(np.exp(frames) - _FLOOR, 0.0)
            sums = (powers @ self._powers).sum(axis=0), (np.sqrt(powers) @ self._roots).sum(axis=0)
            self._rows[-1] = (len(frames), *sums[0], *sums[1], self._onsets(frames))
        loud, low, bright, busy = (self._last_of @ self._rows).tolist()  # frames, power, bass, weight, pitch, onsets
        return Measured(
            loudness_db=_decibels(loud[1] / max(1.0, loud[0])),
            bass_dbfs=_decibels(low[2] / max(1.0, low[0])),
            onsets_per_s=busy[5] / max(1.0, busy[0]) * SPEC.frames_per_second,
            brightness_hz=2.0 ** (bright[4] / bright[3]) if bright[3] else 0.0,
        )

    def _onsets(self, frames: F32) -> int:
        """Return how many of the frames before each of these were onsets."""
        first = frames[:1] if self._last is None else self._last
        strength = np.concatenate([self._strength, onset_strength(np.concatenate([first, frames]))])
        before, at, after = strength[-len(frames) - 2 : -2], strength[-len(frames) - 1 : -1], strength[-len(frames) :]
        least = max(PEAK, ABOVE_MEAN * float(self._strength.mean()))
        self._strength, self._last = strength[len(frames) :], frames[-1:].copy()
        return int(np.count_nonzero((before < at) & (at >= after) & (at > least)))


def k_weight(hz: F64) -> F64:
    """Return the power gain of ITU-R BS.1770's weighting: a shelf of 4 dB above 1.5 kHz, a high-pass at 38 Hz."""
    shelf = 1.0 + (10.0**0.4 - 1.0) * hz**4 / (hz**4 + 1_500.0**4)
    return np.asarray(shelf * hz**4 / (hz**4 + 38.0**4))


def _decibels(power: float) -> float:
    return max(FLOOR_DB, 10.0 * math.log10(max(power / FULL_SCALE, 1e-13)))
