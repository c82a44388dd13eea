"""Cut a stream of blocks into steps of 0.1 s on the sample clock: nothing later depends on block sizes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.types import F32

STEPS_PER_SECOND = 10


class Steps:
    """Steps of one unbroken stretch of sound. State: the step's number and the samples that do not fill one yet."""

    def __init__(self, *, rate_hz: int, channels: int, start_s: float) -> None:
        """Cut sound of this rate and channel count that starts at ``start_s`` on the sample clock."""
        self.format = (rate_hz, channels)
        self._start_s, self._step = start_s, 0
        self._pending = np.empty((0, channels), np.float32)

    @property
    def end_s(self) -> float:
        """The sample clock: the end of all that was pushed."""
        return self._time_s(self._step) + len(self._pending) / self.format[0]

    def push(self, samples: F32) -> Iterator[tuple[F32, float]]:
        """Take float32 [n, channels]; yield each full step with its end in seconds."""
        self._pending = np.concatenate([self._pending, samples])
        while (length := self._length()) <= len(self._pending):
            step, self._pending = self._pending[:length], self._pending[length:]
            self._step += 1
            yield step, self._time_s(self._step)

    def is_full_with(self, more: int) -> bool:
        """Whether so many samples more complete a step."""
        return self._length() <= len(self._pending) + more

    def rest(self) -> tuple[F32, float]:
        """Return the samples of the unfinished step, possibly none, and their end in seconds."""
        return self._pending, self.end_s

    def _length(self) -> int:
        return self._boundary(self._step + 1) - self._boundary(self._step)

    def _time_s(self, step: int) -> float:
        return self._start_s + step / STEPS_PER_SECOND

    def _boundary(self, step: int) -> int:
        """First sample of a step; steps of a rate that 10 does not divide differ by a sample and never drift."""
        return step * self.format[0] // STEPS_PER_SECOND
