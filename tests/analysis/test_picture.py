"""What the genre model sees: the same at every gain, and musicnn's own input but for a shift of half a frame."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from stream_analyzer.analysis.features import StreamingLogMel
from stream_analyzer.analysis.genre.picture import (
    LOUDNESS,
    PICTURE_FRAMES,
    PICTURE_SPEC,
    band_weights,
    picture,
)

SAMPLES = PICTURE_SPEC.n_fft + (PICTURE_FRAMES - 1) * PICTURE_SPEC.hop


def _noise(rms: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.asarray(np.random.default_rng(0).normal(0.0, rms, SAMPLES), np.float32)


def test_band_powers_tell_the_mean_square_of_the_samples() -> None:
    samples = _noise(0.05)
    power = np.exp(StreamingLogMel(PICTURE_SPEC).push(samples))

    assert float((power @ band_weights()).mean()) == pytest.approx(float(np.mean(samples**2)), rel=0.03)


def test_picture_is_the_same_at_every_gain() -> None:
    quiet, loud = (picture(StreamingLogMel(PICTURE_SPEC).push(_noise(rms))) for rms in (0.001, 0.3))

    assert quiet.shape == (PICTURE_FRAMES, PICTURE_SPEC.n_mels)
    assert quiet.dtype == np.float32
    np.testing.assert_allclose(quiet, loud, atol=1e-3)


def test_picture_at_its_own_loudness_is_what_musicnn_learnt_from() -> None:
    samples = _noise(LOUDNESS)
    mel = librosa.feature.melspectrogram(
        y=samples, sr=PICTURE_SPEC.sample_rate_hz, n_fft=512, hop_length=256, n_mels=96, center=False
    )

    seen = picture(StreamingLogMel(PICTURE_SPEC).push(samples))

    np.testing.assert_allclose(seen, np.log10(1.0 + 1e4 * mel.T), atol=0.02)


def test_silence_stays_near_zero() -> None:
    silent = picture(StreamingLogMel(PICTURE_SPEC).push(np.zeros(SAMPLES, np.float32)))

    assert silent.max() < 2.1  # far below what music reaches, though the gain is at its limit
