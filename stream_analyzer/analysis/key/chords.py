"""Steps of a second -> what the key is judged by: semitones, chords, basses, and which chord leads to which. Pure.

A mean over half a minute does not say which of its chords is home. So beside the mean of the semitones stands how long
each chord and each bass is heard, and how often each leads to the tonic's chord or follows on it; and then the steps
themselves, from which a network learns its own chords and their order. All of it is seen from each tonic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.key import profile
from stream_analyzer.analysis.pitches import PITCHES, SEMITONES

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32

KINDS = ((0, 4, 7), (0, 3, 7))  # major and minor triads
CHORDS = len(KINDS) * SEMITONES
OF_ALL = PITCHES.semitones + CHORDS + SEMITONES + 2 * len(KINDS) * CHORDS  # columns of all steps together
STEPS = 30  # that are seen one by one after them
COLUMNS = OF_ALL + STEPS * PITCHES.semitones
OCTAVES = np.array([0.5, 1.0, 1.0, 1.0, 0.7, 0.3], np.float32)  # how much each says of the chord
BASS_OCTAVES = 2
SURE_CHORD, SURE_BASS, ROOT = 12.0, 6.0, 2.0
HEARD, LED = 8.0, 20.0  # bring shares to the size of the other columns
MOST = 5.0

_TONICS = np.arange(SEMITONES)
_FROM_TONIC = (_TONICS[:, None] + _TONICS) % SEMITONES


def _triads() -> F32:
    found = np.zeros((len(KINDS), SEMITONES, SEMITONES), np.float32)
    for kind, notes in enumerate(KINDS):
        for note in notes:
            found[kind, _TONICS, (_TONICS + note) % SEMITONES] = 1.0
    found -= found.mean(axis=-1, keepdims=True)
    found /= np.linalg.norm(found, axis=-1, keepdims=True)
    return found.reshape(CHORDS, SEMITONES)


_TRIADS = _triads()


@dataclass(frozen=True, slots=True)
class Heard:
    """Steps: their semitones [n, semitones], and how likely each chord [n, CHORDS] and each bass [n, 12] is."""

    semitones: F32
    chords: F32
    basses: F32

    @classmethod
    def of(cls, steps: F32) -> Heard:
        """Tell the chords and basses of steps [n, semitones]."""
        octaves = profile.octaves(steps)
        low = octaves[:, :BASS_OCTAVES].sum(axis=1)
        low /= low.max(axis=1, keepdims=True) + np.float32(0.1)
        chords = _chords(np.tensordot(octaves, OCTAVES, (1, 0)), low)
        return cls(steps, chords, _shares(SURE_BASS * low))

    def newest(self, steps: int) -> Heard:
        """Return the newest ``steps``."""
        return Heard(self.semitones[-steps:], self.chords[-steps:], self.basses[-steps:])

    @property
    def contrast(self) -> float:
        """How far the semitones stand apart, in nepers; of noise they hardly do."""
        return float(self.semitones.mean(axis=0).std())

    def seen(self) -> F32:
        """Return what a model sees, from each tonic: float32 [12, COLUMNS]."""
        moves = self.chords[:-1].T @ self.chords[1:] / np.float32(max(1, len(self.chords) - 1))
        by_kind = LED * moves.reshape(len(KINDS), SEMITONES, len(KINDS), SEMITONES)
        columns = (
            profile.turned(self.semitones.mean(axis=0)),
            _turned(HEARD * self.chords.mean(axis=0)),
            _turned(HEARD * self.basses.mean(axis=0)),
            by_kind[:, _FROM_TONIC, :, _TONICS[:, None]].reshape(SEMITONES, -1),
            by_kind[:, _TONICS[:, None], :, _FROM_TONIC].reshape(SEMITONES, -1),
            self._one_by_one().reshape(SEMITONES, -1),
        )
        return np.minimum(np.concatenate(columns, axis=1), np.float32(MOST))

    def _one_by_one(self) -> F32:
        """Return the newest steps from each tonic [12, STEPS, semitones]; fewer than that are heard over and over."""
        places = np.arange(-STEPS, 0) % len(self.semitones)
        return profile.turned(self.semitones[places]).transpose(1, 0, 2)


def _chords(chroma: F32, low: F32) -> F32:
    """Return how likely each triad is, major ones first [n, CHORDS]: by its notes, and by its root in the bass."""
    apart = chroma - chroma.mean(axis=1, keepdims=True)
    apart /= np.linalg.norm(apart, axis=1, keepdims=True) + np.float32(0.1)
    return _shares(SURE_CHORD * (apart @ _TRIADS.T) + ROOT * np.tile(low, (1, len(KINDS))))


def _shares(levels: F32) -> F32:
    powers = np.exp(levels - levels.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _turned(shares: F32) -> npt.NDArray[np.float32]:
    """Return shares [kinds * 12] as seen from each tonic [12, kinds * 12]."""
    return shares.reshape(-1, SEMITONES)[:, _FROM_TONIC].transpose(1, 0, 2).reshape(SEMITONES, -1)
