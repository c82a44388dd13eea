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
BANK_STEP = 5
# How far partials lie apart, and the step from place to place where they are looked for, in bands.
RIPPLES = ((2.5, 4), (4.0, 4), (6.0, 8), (10.0, 8))
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


def ripples(bands: int, kinds: tuple[tuple[float, int], ...] = RIPPLES) -> F32:
    """Return what finds partials that lie ``spacing`` bands apart: Gabor filters around each ``step``-th band.

    float32 [1, bands, 1, filters]: for each of ``kinds`` (spacing, step), at each place an even and an odd one.
    """
    kernels = []
    for spacing, step in kinds:
        offset = np.arange(bands)[:, None] - np.arange(step // 2, bands, step)
        window = np.where(np.abs(offset) <= 2.0 * spacing, 0.5 + 0.5 * np.cos(0.5 * np.pi * offset / spacing), 0.0)
        waves = np.stack([np.cos(2.0 * np.pi * offset / spacing), np.sin(2.0 * np.pi * offset / spacing)], axis=-1)
        filters = window[..., None] * waves
        filters -= window[..., None] * (filters.sum(axis=0) / window.sum(axis=0)[:, None])
        kernels.append((filters / np.abs(filters).sum(axis=0)).reshape(bands, -1))
    return np.concatenate(kernels, axis=1, dtype=np.float32)[None, :, None]


def regions(bands: int) -> F32:
    """Return five times the mean of a kind of `ripples` in each region, float32 [1, 1, filters, kinds * REGIONS]."""
    counts = [2 * bands // step for _, step in RIPPLES]
    kernel = np.zeros((sum(counts), len(RIPPLES) * REGIONS), np.float32)
    for kind, count in enumerate(counts):
        first, each = sum(counts[:kind]), count // REGIONS
        mean = np.repeat(np.eye(REGIONS), each, axis=0) * (5.0 / each)
        kernel[first : first + count, kind * REGIONS : (kind + 1) * REGIONS] = mean
    return kernel[None, None]


def neighbours(bands: int) -> F32:
    """Return half the means of four neighbouring bands, float32 [1, bands, 1, bands / 4]; pooling here is slower."""
    return np.asarray(np.repeat(np.eye(bands // 4), 4, axis=0)[None, :, None, :] / 8.0, np.float32)


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
    """Return the modulation filters around each BANK_STEP-th frame, float32 [1, 1, frames, places * rates].

    The first and the last places see part of a filter, as if the signal were 0 outside.
    """
    filters, half = modulation_filters(), LONGEST_FRAMES // 2
    places = range(0, frames, BANK_STEP)
    bank = np.zeros((frames + 2 * half, len(places), len(RATES_HZ)), np.float32)
    for column, place in enumerate(places):
        bank[place : place + LONGEST_FRAMES, column] = filters
    return bank[half : half + frames].reshape(1, 1, frames, -1)
