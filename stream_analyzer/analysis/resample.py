"""From what a device delivers to what the features need: pick or mix channels, resample as a stream. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from stream_analyzer.types import F32


def pick_channels(samples: F32, channel: int | None) -> F32:
    """Return the columns of ``samples`` [n, channels] that are heard: all (``None``) or the ``channel``-th, from 1.

    A channel that the source does not have is heard as its last one.
    """
    if channel is None:
        return samples
    column = min(channel, samples.shape[1]) - 1
    return samples[:, column : column + 1]


def mix(samples: F32) -> F32:
    """Mix [n, channels] to mono float32 [n]: the mean of the channels."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    mono = samples[:, 0].astype(np.float32)  # a copy; numpy's mean of rows this short takes ten times as long
    for channel in samples.T[1:]:
        mono += channel
    mono /= np.float32(samples.shape[1])
    return mono


class Resampler:
    """Streaming resampler for mono float32; bit-identical for any block size. State: soxr's filter history."""

    def __init__(self, rate_hz: int, target_hz: int) -> None:
        """Resample from ``rate_hz`` to ``target_hz``; equal rates pass through."""
        self._rates = (rate_hz, target_hz)
        self.reset()

    def reset(self) -> None:
        """Forget all samples; equal to a new object."""
        rate, target = self._rates
        self._stream = None if rate == target else soxr.ResampleStream(rate, target, 1, dtype="float32")

    def push(self, samples: F32) -> F32:
        """Take mono samples [n], return the resampled ones [m] that are ready; the filter keeps a few milliseconds."""
        if self._stream is None:
            return samples
        resampled: F32 = self._stream.resample_chunk(samples)
        return resampled
