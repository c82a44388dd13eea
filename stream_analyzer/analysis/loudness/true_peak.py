"""True peak by ITU-R BS.1770, annex 2: the highest level between the samples, at four times their rate. Pure.

What lies between samples is at most `_MOST` times the highest of the samples around it, so only stretches that can
raise the peak are interpolated: nearly none, once a set has been loud.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.spans import spans

if TYPE_CHECKING:
    from stream_analyzer.types import F32

FACTOR = 4
_REACH = 6  # samples to each side that an interpolated value is made of
_STRETCH = 8  # samples that are interpolated, or left out, at once
_SPAN = _STRETCH + 2 * _REACH - 1


def _kernels() -> F32:
    """Return what turns the samples of a span into the values between those of its stretch: [span, values]."""
    offsets = np.arange(1 - _REACH, _REACH + 1) - np.arange(1, FACTOR)[:, None] / FACTOR
    taps = np.sinc(offsets) * np.cos(0.5 * np.pi * offsets / _REACH) ** 2
    taps /= taps.sum(axis=1, keepdims=True)
    kernels = np.zeros((_SPAN, _STRETCH, FACTOR - 1), np.float32)
    for place in range(_STRETCH):
        kernels[place : place + 2 * _REACH, place] = taps.T
    return kernels.reshape(_SPAN, -1)


_KERNELS = _kernels()
_MOST = float(np.abs(_KERNELS).sum(axis=0).max())


class TruePeak:
    """Follows the true peak of all channels. State: the peak so far, and the last samples [channels, n]."""

    def __init__(self, channels: int, *, peak: float = 0.0) -> None:
        """Begin a stretch of sound; ``peak`` is that of what came before."""
        self.peak = peak
        self._rest = np.zeros((channels, _REACH - 1), np.float32)

    def push(self, samples: F32) -> None:
        """Take samples [n, channels]."""
        sound = np.concatenate([self._rest, samples.T], axis=1)
        count = max(0, sound.shape[1] - _SPAN + _STRETCH) // _STRETCH
        self._rest = sound[:, count * _STRETCH :].copy()
        height = np.abs(sound)
        self.peak = max(self.peak, float(height.max()))
        high = np.packbits(height > self.peak / _MOST, axis=1)  # a byte is a stretch
        able = (high[:, :count] | high[:, 1 : count + 1] | high[:, 2 : count + 2]) > 0
        if able.any():
            between = spans(sound, _SPAN, hop=_STRETCH)[able] @ _KERNELS
            self.peak = max(self.peak, float(between.max()), -float(between.min()))
