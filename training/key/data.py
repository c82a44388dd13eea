"""Training windows for the key: stretches of clips, as the service sees them from each tonic, with drums in some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.key import profile
from stream_analyzer.analysis.key.chords import Heard
from stream_analyzer.analysis.pitches import PITCHES
from training.key.pitch_set import NO_KEY

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32
    from training.key.pitch_set import PitchSet

STRIDE = 5  # frames of a step
NOISY, EQUALIZED, BANDS = 0.3, 0.5, 5  # shares of windows, and bands of the equalizer
HELD = 0.5  # a window in whose middle drums play alone has at least so much else


@dataclass(frozen=True, slots=True)
class Mix:
    """How windows are cut.

    A share ``whole`` are whole clips, the others at least ``least_frames``; a share ``none`` are of clips without a
    key, and in a share ``drums`` of the others drums play alone for a while.
    """

    whole: float
    least_frames: int
    none: float
    drums: float


@dataclass(frozen=True, slots=True)
class Clips:
    """Clips of known key: semitones of their frames [frames, semitones], and keys (24 for none)."""

    frames: tuple[F32, ...]
    key: npt.NDArray[np.int64]

    @classmethod
    def of(cls, pitches: PitchSet, rows: npt.NDArray[np.int64]) -> Clips:
        """Take ``rows`` of a set, each in tune with itself."""
        salient = pitches.salience(rows)
        cents = (profile.cents_of(profile.tuning_of(one)) for one in salient)
        frames = (profile.semitones(one, cents=at) for one, at in zip(salient, cents, strict=True))
        return cls(tuple(frames), pitches.key[rows])

    def only(self, *, keyed: bool) -> Clips:
        """Return the clips with a key, or those without."""
        rows = np.flatnonzero((self.key < NO_KEY) == keyed)
        return Clips(tuple(self.frames[row] for row in rows), self.key[rows])

    def stretch(self, rng: np.random.Generator, *, least: int, whole: float) -> tuple[F32, int]:
        """Return the frames of a clip, or a stretch of it, and its key."""
        clip = int(rng.integers(len(self.frames)))
        frames = self.frames[clip]
        count = len(frames) if rng.random() < whole else int(rng.integers(min(least, len(frames)), len(frames) + 1))
        first = int(rng.integers(0, len(frames) - count + 1))
        return frames[first : first + count], int(self.key[clip])

    def whole(self, *, newest: int = 0) -> F32:
        """Return every clip, or its ``newest`` frames, as the network sees it, [clips, 12, columns]."""
        return np.array([view(frames[-newest:]) for frames in self.frames], np.float32)


def view(frames: F32) -> F32:
    """Return frames [n, semitones] as the network sees them."""
    return Heard.of(profile.by_step(frames, STRIDE)).seen()


def drummed(frames: F32, drums: F32, rng: np.random.Generator) -> F32:
    """Return frames in whose course drums alone play for a while."""
    most = min(len(drums), int(len(frames) * HELD))
    if most < STRIDE:
        return frames
    count = int(rng.integers(STRIDE, most + 1))
    first = int(rng.integers(0, len(frames) - count + 1))
    return np.concatenate([frames[:first], drums[:count], frames[first + count :]])


def roughened(frames: F32, rng: np.random.Generator) -> F32:
    """Return frames as another room, equalizer and noise would leave them: all of it a guess, and not always."""
    found = frames * np.float32(rng.uniform(0.8, 1.2))
    if rng.random() < NOISY:
        found = found + np.abs(rng.normal(0.0, rng.uniform(0.0, 0.12), found.shape))
    if rng.random() < EQUALIZED:
        at = np.linspace(0, PITCHES.semitones - 1, BANDS)
        found = found * np.interp(np.arange(PITCHES.semitones), at, rng.uniform(0.45, 1.3, BANDS))
    return np.asarray(found, np.float32)
