"""Textbook filters with which the genre network describes a window: cepstra, ripples over frequency, modulation.

All are kernels of convolutions [height (frames), width (bands), in, out] for log-mel at 12.5 frames a second. They are
scaled so that, on music, what comes out of each is about as large, which int8 needs.
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
BANK_STEP = 3
SPACINGS_BANDS = (2.5, 4.0, 6.0, 10.0)
PLACE_STEP_BANDS = 4
REGIONS = 16


def cosines(bands: int, first: int, last: int) -> F32:
    """Return the cepstra ``first``.. below ``last``, float32 [1, bands, 1, number]: cosines over the bands.

    The spread of music's cepstra falls about as one over their number, then stays: so all come out alike (liftering).
    """
    centres = (np.arange(bands) + 0.5) / bands
    number = np.arange(first, last)
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


def ripples(bands: int, spacings_bands: tuple[float, ...] = SPACINGS_BANDS, *, step: int = PLACE_STEP_BANDS) -> F32:
    """Return what finds partials that lie so many bands apart: Gabor filters over the bands, around every ``step``-th.

    float32 [1, bands, 1, places * 2 * spacings]: even and odd ones in turn, all spacings of a place together.
    """
    places = np.arange(step // 2, bands, step)
    kernel = np.zeros((bands, len(places), 2, len(spacings_bands)), np.float32)
    for column, spacing in enumerate(spacings_bands):
        offset = np.arange(bands)[:, None] - places
        inside = np.abs(offset) <= 2.0 * spacing
        window = np.where(inside, 0.5 + 0.5 * np.cos(0.5 * np.pi * offset / spacing), 0.0)
        for odd, wave in enumerate((np.cos, np.sin)):
            filters = window * wave(2.0 * np.pi * offset / spacing)
            filters -= window * (filters.sum(axis=0) / window.sum(axis=0))
            kernel[:, :, odd, column] = filters / np.abs(filters).sum(axis=0)
    return kernel.reshape(1, bands, 1, -1)


def regions(bands: int) -> F32:
    """Return the means of all `ripples` of each of REGIONS regions, float32 [1, 1, filters, REGIONS * spacings]."""
    places, spacings = bands // PLACE_STEP_BANDS, len(SPACINGS_BANDS)
    belongs = np.repeat(np.eye(REGIONS), places // REGIONS, axis=0) * (REGIONS / places)
    kernel = np.einsum("pr,so->psro", belongs, np.eye(spacings))
    return np.asarray(np.repeat(kernel[:, None], 2, axis=1).reshape(1, 1, places * 2 * spacings, -1) / 2.0, np.float32)


def neighbours(bands: int) -> F32:
    """Return the means of four neighbouring bands, float32 [1, bands, 1, bands / 4]; pooling one channel is slower."""
    return np.asarray(np.repeat(np.eye(bands // 4), 4, axis=0)[None, :, None, :] / 4.0, np.float32)


def modulation_filters() -> F32:
    """Return Hann-windowed cosines without a mean at each of RATES_HZ, float32 [LONGEST_FRAMES, rates]."""
    kernel = np.zeros((LONGEST_FRAMES, len(RATES_HZ)), np.float32)
    for column, rate_hz in enumerate(RATES_HZ):
        length = min(LONGEST_FRAMES, max(7, round(PERIODS * FRAMES_PER_SECOND / rate_hz))) | 1
        time_s = (np.arange(length) - length // 2) / FRAMES_PER_SECOND
        window = np.hanning(length + 2)[1:-1]
        wave = window * np.cos(2.0 * np.pi * rate_hz * time_s)
        wave -= window * (wave.sum() / window.sum())
        first = (LONGEST_FRAMES - length) // 2
        kernel[first : first + length, column] = wave / np.abs(wave).sum()
    return kernel


def modulation_bank(frames: int) -> F32:
    """Return the modulation filters around every third of ``frames`` frames, float32 [1, 1, frames, places * rates].

    The first and the last places see part of a filter, as if the signal were 0 outside.
    """
    filters, half = modulation_filters(), LONGEST_FRAMES // 2
    places = range(0, frames, BANK_STEP)
    bank = np.zeros((frames + 2 * half, len(places), len(RATES_HZ)), np.float32)
    for column, place in enumerate(places):
        bank[place : place + LONGEST_FRAMES, column] = filters
    return bank[half : half + frames].reshape(1, 1, frames, -1)
