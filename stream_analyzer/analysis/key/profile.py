"""Pitch frames -> how much each semitone stands out, step by step, over the last seconds, in tune. Pure.

Power that is spread over neighbouring pitches, as of drums and noise, stands out nowhere, and level and equalizer have
no say. What is left is averaged over steps and read at the pitch that the music is tuned to; `chords` goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.pitches import PITCHES, SEMITONES

if TYPE_CHECKING:
    from stream_analyzer.types import F32

NEIGHBOURS = 9  # bins to each side that a bin is compared with: three semitones
MOST = 2.5  # nepers that one frame counts at most
TUNING_S = 30.0  # time constant of the tuning
_CENTS = 100.0
_WIDENED = np.clip(np.arange(-NEIGHBOURS - 1, PITCHES.bins + NEIGHBOURS), 0, PITCHES.bins - 1)
_WITHIN_SEMITONE = np.exp(
    2j * np.pi * (np.arange(PITCHES.bins) % PITCHES.per_semitone - PITCHES.per_semitone // 2) / PITCHES.per_semitone
)
_PLACE_OF_C = -PITCHES.lowest_note % SEMITONES  # in an octave that begins with the lowest note
_FROM_TONICS = np.array(
    [
        [note - note % SEMITONES + (note + _PLACE_OF_C + tonic) % SEMITONES for note in range(PITCHES.semitones)]
        for tonic in range(SEMITONES)
    ]
)


def salience(frames: F32) -> F32:
    """Return by how many nepers each bin of log-power frames [n, bins] is above the mean of its neighbours, or 0."""
    if not len(frames):
        return np.empty_like(frames, np.float32)
    width = 2 * NEIGHBOURS + 1
    sums = np.cumsum(frames[:, _WIDENED], axis=1, dtype=np.float64)
    mean = (sums[:, width:] - sums[:, :-width]) / width
    found: F32 = np.clip(frames - mean, 0.0, MOST).astype(np.float32)
    return found


def tuning_of(salient: F32) -> complex:
    """Return where within their semitones the bins [n, bins] stand out: the angle is the tuning, a turn a semitone."""
    return complex((salient.sum(axis=0) * _WITHIN_SEMITONE).sum())


def cents_of(tuning: complex) -> float:
    """Return a tuning in cents, -50 to 50, above 440 Hz for A."""
    return float(np.angle(tuning)) / (2.0 * np.pi) * _CENTS


def semitones(mean: F32, *, cents: float) -> F32:
    """Read mean saliences [..., bins] at each semitone, as tuned: float32 [..., semitones]."""
    places = np.arange(PITCHES.semitones) * PITCHES.per_semitone + PITCHES.per_semitone // 2
    found = np.zeros((*mean.shape[:-1], PITCHES.semitones), np.float32)
    for side, weight in ((-0.5, 0.2), (0.0, 0.6), (0.5, 0.2)):
        at = np.clip(places + side + cents / _CENTS * PITCHES.per_semitone, 0, PITCHES.bins - 1)
        below = np.minimum(at.astype(np.int64), PITCHES.bins - 2)
        part = (at - below).astype(np.float32)
        found += np.float32(weight) * (mean[..., below] * (1.0 - part) + mean[..., below + 1] * part)
    return found


def by_step(frames: F32, stride: int) -> F32:
    """Return the means of each ``stride`` frames [n, ...], up to the newest; of fewer frames than that their mean."""
    if len(frames) < stride:
        return np.asarray(frames.mean(axis=0, keepdims=True), np.float32)
    steps = len(frames) // stride
    return np.asarray(frames[-steps * stride :].reshape(steps, stride, -1).mean(axis=1), np.float32)


def octaves(steps: F32) -> F32:
    """Return semitones [..., semitones] as octaves that begin with C: float32 [..., octaves, 12]."""
    return np.roll(steps.reshape(*steps.shape[:-1], -1, SEMITONES), -_PLACE_OF_C, axis=-1)


def turned(profile: F32) -> F32:
    """Return a profile, or several that belong together, [..., semitones] as seen from each tonic: C first, mean 0.

    Returns float32 [..., 12, semitones]. Within each octave the tonic comes first, so that what makes a key is at the
    same place whatever the key.
    """
    scaled = np.clip(profile / (profile.mean() + 1e-3) - 1.0, -1.0, 5.0)
    return np.asarray(scaled[..., _FROM_TONICS], np.float32)


class Profile:
    """The last seconds of salience. State: a ring of frames, how many came, how many count, and the tuning so far."""

    def __init__(self, frames: int) -> None:
        """Average the newest ``frames``."""
        self._frames = frames
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._ring = np.zeros((self._frames, PITCHES.bins), np.float32)
        self._tuning = 0j
        self.heard = 0
        self._counts = 0

    def push(self, frames: F32) -> None:
        """Take pitch frames [n, bins]."""
        keep = float(np.exp(-1.0 / (TUNING_S * PITCHES.frames_per_second)))
        for salient in salience(frames):
            self._ring[self.heard % self._frames] = salient
            self._tuning = keep * self._tuning + tuning_of(salient[None])
            self.heard += 1
            self._counts = min(self._counts + 1, self._frames)

    def forget(self, *, but: int) -> None:
        """Count nothing but the newest frames from now on."""
        self._counts = min(self._counts, but)

    @property
    def cents(self) -> float:
        """The tuning."""
        return cents_of(self._tuning)

    def steps(self, stride: int) -> F32:
        """Return the semitones [n, semitones] of the frames that count, in tune, by ``stride``."""
        count = max(1, self._counts)
        places = np.arange(self.heard - count, self.heard) % self._frames
        return semitones(by_step(self._ring[places], stride), cents=self.cents)
