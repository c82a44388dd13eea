"""Overlapping spans of a signal as a view of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32


def spans(signal: F32, size: int, *, hop: int) -> F32:
    """Return all spans of ``size`` samples, ``hop`` apart, of a signal [..., n]: a view [..., count, size].

    The signal lies in memory in one piece. Nothing is copied, and a call costs far less than numpy's sliding window.
    """
    count = max(0, (signal.shape[-1] - size) // hop + 1)
    *outer, along = signal.strides
    shape, strides = (*signal.shape[:-1], count, size), (*outer, hop * along, along)
    return np.ndarray(shape, signal.dtype, signal, strides=strides)
