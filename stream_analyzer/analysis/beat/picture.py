"""What the beat model sees of log-mel frames: levels below the loudest of late, so that gain says nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32

DEPTH = 10.0  # nepers of power below the loudest band of late that the model sees
FALL = 0.01  # nepers that "the loudest of late" falls each frame: 2 dB a second


class RunningLevel:
    """Levels of frames relative to the loudest band of late. State: how loud that is."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; equal to a new object."""
        self._loudest = np.float32(-np.inf)

    def push(self, frames: F32) -> F32:
        """Return float32 [n, bands] in 0..`DEPTH` for natural-log mel power [n, bands]; 0 is `DEPTH` below or less."""
        if not len(frames):
            return frames
        loudest = running_loudest(frames[None], start=self._loudest)[0]
        self._loudest = loudest[-1]
        return relative(frames, loudest)


def running_loudest(frames: F32, *, start: float | np.float32 = -np.inf) -> F32:
    """Return the loudest band of late at each frame, [batch, n], for frames [batch, n, bands]."""
    fallen = np.arange(1, frames.shape[1] + 1, dtype=np.float32) * np.float32(FALL)
    raised = np.maximum(frames.max(axis=2) + fallen, np.float32(start))
    loudest: F32 = np.maximum.accumulate(raised, axis=1) - fallen
    return loudest


def relative(frames: F32, loudest: F32) -> F32:
    """Return levels 0..`DEPTH` of frames [..., n, bands], given the loudest of late [..., n]."""
    return np.asarray(np.maximum(frames - loudest[..., None] + np.float32(DEPTH), 0.0), np.float32)
