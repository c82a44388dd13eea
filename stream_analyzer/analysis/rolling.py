"""The last frames of a stream, as the window that a model sees. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelInput
    from stream_analyzer.types import F32


class RollingWindow:
    """Keeps every ``every``-th frame of a stream in a mirrored ring, so that a window is a view and costs no copy.

    State: the ring and the count of frames seen since the start.
    """

    def __init__(self, shape: ModelInput, *, n_mels: int, fill: float) -> None:
        """Prepare a window of ``shape.frames`` x ``n_mels`` that holds ``fill`` where nothing was heard yet."""
        self._shape, self._fill = shape, fill
        self._ring = np.empty((2 * shape.frames, n_mels), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all frames; equal to a new object."""
        self._ring.fill(self._fill)
        self._seen = 0
        self._kept = 0

    @property
    def ready(self) -> bool:
        """Whether enough frames came for a first judgement."""
        return self._kept >= self._shape.min_frames

    @property
    def frames(self) -> F32:
        """The window, float32 [frames, n_mels], oldest first; a view that the next push changes."""
        start = self._kept % self._shape.frames
        return self._ring[start : start + self._shape.frames]

    def newest(self, frames: int) -> F32:
        """Return the window with nothing but its newest ``frames`` in it, as one that is still filling."""
        if frames >= self._shape.frames:
            return self.frames
        window = self.frames.copy()
        window[: self._shape.frames - frames] = self._fill
        return window

    def push(self, frames: F32) -> bool:
        """Take frames [n, n_mels] of the stream; return whether the window is due for a judgement.

        It is due when it first is ready, and then whenever the stream passes a multiple of ``stride`` frames.
        """
        shape = self._shape
        was_ready, strides_before = self.ready, self._seen // shape.stride
        kept = frames[(-self._seen) % shape.every :: shape.every]
        for frame in kept:
            self._put(self._kept, frame)
            if shape.heard < shape.frames:
                self._put(self._kept - shape.heard, self._fill)
            self._kept += 1
        self._seen += len(frames)
        return self.ready and (not was_ready or self._seen // shape.stride > strides_before)

    def _put(self, position: int, frame: F32 | float) -> None:
        at = position % self._shape.frames
        self._ring[at] = frame
        self._ring[at + self._shape.frames] = frame
