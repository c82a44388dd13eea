"""Textbook filters with which the genre network begins: cepstra, pairs of them, modulation at nine rates.

All are convolution kernels [height (frames), width (bands), in, out] for log-mel at 12.5 frames a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32

CEPSTRA = 40
PAIRED = 16
PAIRS = PAIRED * (PAIRED - 1) // 2
FRAMES_PER_SECOND = 12.5
RATES_HZ = (0.35, 0.65, 1.0, 1.45, 2.0, 2.65, 3.5, 4.5, 5.6)
LONGEST_FRAMES = 63
PERIODS = 1.6


def cosines(bands: int) -> F32:
    """Return the first cepstra, float32 [1, bands, 1, CEPSTRA]: cosines over the bands, higher ones stronger.

    The spread of music's cepstra falls about as one over their number, then stays: so all come out alike (liftering).
    """
    centres = (np.arange(bands) + 0.5) / bands
    number = np.arange(CEPSTRA)
    kernel = np.cos(np.pi * centres[:, None] * number) * np.sqrt(2.0 / bands) * np.minimum(1.0 + number, 10.0) / 20.0
    return np.asarray(kernel[None, :, None, :], np.float32)


def pairs() -> F32:
    """Return sums and differences of each two of the first PAIRED cepstra, float32 [1, 1, CEPSTRA, 2 * PAIRS]."""
    one, other = np.triu_indices(PAIRED, 1)
    kernel = np.zeros((CEPSTRA, 2 * PAIRS), np.float32)
    columns = np.arange(PAIRS)
    kernel[one, columns] = kernel[one, PAIRS + columns] = kernel[other, columns] = 1.0
    kernel[other, PAIRS + columns] = -1.0
    return kernel[None, None]


def modulation_filters() -> F32:
    """Return Hann-windowed cosines without a mean at each of RATES_HZ, float32 [LONGEST_FRAMES, 1, 1, rates]."""
    kernel = np.zeros((LONGEST_FRAMES, len(RATES_HZ)), np.float32)
    for column, rate_hz in enumerate(RATES_HZ):
        length = min(LONGEST_FRAMES, max(7, round(PERIODS * FRAMES_PER_SECOND / rate_hz))) | 1
        time_s = (np.arange(length) - length // 2) / FRAMES_PER_SECOND
        window = np.hanning(length + 2)[1:-1]
        wave = window * np.cos(2.0 * np.pi * rate_hz * time_s)
        wave -= window * (wave.sum() / window.sum())
        first = (LONGEST_FRAMES - length) // 2
        kernel[first : first + length, column] = wave / np.abs(wave).sum()
    return kernel[:, None, None, :]
