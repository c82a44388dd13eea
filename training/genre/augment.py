"""Random changes to log-mel windows [frames, 128] that leave the genre alone: room, microphone, gain, pitch, tempo.

Values are natural-log mel power; lengths in frames at 12.5 a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC, hz_to_mel, mel_frequencies
from training.data.sources import spread_columns

if TYPE_CHECKING:
    from stream_analyzer.types import F32, U8

_TOP_HZ = 10_700.0
_CENTRES_HZ = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)[1:-1]
_MEL_STEP = float(hz_to_mel(np.array(SPEC.fmax_hz))) / (SPEC.n_mels + 1)
_BANDS = np.arange(SPEC.n_mels, dtype=np.float32) / SPEC.n_mels


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strengths; every ``*_share`` is a probability, levels are in natural-log units (1 = 4.3 dB)."""

    stretch: float = 0.10
    pitch: float = 0.04
    equalizer: float = 0.5
    contrast: float = 0.06
    band_limit_share: float = 0.05
    noise_share: float = 0.15
    noise_below: tuple[float, float] = (9.0, 16.0)
    blur_share: float = 0.3
    quiet_share: float = 0.15
    partial_share: float = 0.2
    time_masks: int = 1
    time_mask_frames: int = 18
    band_masks: int = 1
    band_mask_bands: int = 12


def cut(level: U8, *, frames: int, strength: Augmentation, rng: np.random.Generator) -> U8:
    """Cut a random window [frames, 128] out of stored bytes [n, 128], stretched in time and shifted in pitch."""
    rate = 1.0 + rng.uniform(-strength.stretch, strength.stretch)
    spare = len(level) - frames * rate
    first = rng.uniform(0.0, max(0.0, spare))
    rows = np.minimum((first + np.arange(frames) * rate).astype(np.int64), len(level) - 1)
    factor = 1.0 + rng.uniform(-strength.pitch, strength.pitch)
    mels = hz_to_mel(np.minimum(_CENTRES_HZ * factor, _TOP_HZ))
    columns = np.clip(np.rint(mels / _MEL_STEP - 1.0), 0, SPEC.n_mels - 1).astype(np.int64)
    window: U8 = level[rows][:, columns]
    return window


def colour(window: F32, *, strength: Augmentation, rng: np.random.Generator) -> F32:
    """Change contrast, frequency response and gain, blur along frequency, raise a noise floor; in place."""
    if rng.random() < strength.blur_share:
        window[:, 1:-1] = 0.5 * window[:, 1:-1] + 0.25 * (window[:, :-2] + window[:, 2:])
    window -= window.max()
    window *= np.float32(1.0 + rng.uniform(-strength.contrast, strength.contrast))
    window += _response(strength=strength, rng=rng)
    if rng.random() < strength.noise_share:
        tilt = (rng.uniform(-6.0, 1.0) * _BANDS - rng.uniform(*strength.noise_below)).astype(np.float32)
        noise = rng.standard_normal(window.shape, np.float32)
        np.maximum(window, np.float32(0.4) * noise + tilt, out=window)
    quietest = -12.0 if rng.random() < strength.quiet_share else -3.0
    window += np.float32(rng.uniform(quietest, 9.0))
    return np.maximum(window, np.float32(SPEC.log_floor), out=window)


def _response(*, strength: Augmentation, rng: np.random.Generator) -> F32:
    """Return a random frequency response [128]: tilt, waves, and sometimes a low-pass or a high-pass."""
    response = strength.equalizer * rng.normal() * 0.5 * (_BANDS - 0.5)
    for waves in (0.5, 1.0, 2.0, 3.5):
        response += strength.equalizer * rng.normal() * 0.35 * np.cos(2.0 * np.pi * (waves * _BANDS + rng.random()))
    if rng.random() < strength.band_limit_share:
        response += np.minimum(0.0, (rng.uniform(0.35, 1.0) - _BANDS) * 60.0)
    if rng.random() < strength.band_limit_share:
        response += np.minimum(0.0, (_BANDS - rng.uniform(0.0, 0.06)) * 60.0)
    return response.astype(np.float32)


def mask(window: F32, *, strength: Augmentation, rng: np.random.Generator) -> F32:
    """Blank random stretches of time and bands (SpecAugment: Park et al. 2019) with the window's mean, in place."""
    mean = window.mean()
    for _ in range(strength.time_masks):
        width = int(rng.integers(0, strength.time_mask_frames + 1))
        first = int(rng.integers(0, len(window) - width + 1))
        window[first : first + width] = mean
    for _ in range(strength.band_masks):
        width = int(rng.integers(0, strength.band_mask_bands + 1))
        first = int(rng.integers(0, SPEC.n_mels - width + 1))
        window[:, first : first + width] = mean
    return window


def fill_partly(window: F32, *, min_frames: int, strength: Augmentation, rng: np.random.Generator) -> F32:
    """Sometimes leave only the last part of a window, from ``min_frames`` on, as just after the start; in place."""
    if rng.random() < strength.partial_share:
        kept = int(rng.integers(min_frames, len(window)))
        window[: len(window) - kept] = SPEC.log_floor
    return window


def slow(window: F32) -> F32:
    """Return ``window`` without what moves faster than columns of three frames can show, as FMA-small has it."""
    columns = window[: len(window) // 3 * 3].reshape(-1, 3, window.shape[1]).mean(axis=1)
    return spread_columns(columns, 3)


def add_detail(window: F32, other: F32) -> F32:
    """Add to a slow ``window`` what ``other`` does between the columns, in place.

    What moves fast then tells nothing of the set. Both have a multiple of three frames.
    """
    window += other - slow(other)
    return window


def add_power(window: F32, other: F32, *, below: float) -> F32:
    """Add ``other`` with its maximum ``below`` (natural-log units) under that of ``window``, in place."""
    shift = np.float32(window.max() - other.max() - below)
    np.logaddexp(window, other + shift, out=window)
    return window
