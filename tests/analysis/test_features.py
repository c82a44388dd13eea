"""The streaming features: any cut gives the same frames, and librosa agrees."""

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_analyzer.analysis.features import SPEC, FeatureSpec, StreamingLogMel, mel_filterbank
from tests.support.fakes import drum_loop

NOISE = np.random.default_rng(2).standard_normal(33_075).astype(np.float32)
SIGNAL = drum_loop(1.5)[:, 0] + np.float32(0.01) * NOISE
WHOLE = StreamingLogMel().push(SIGNAL)


def test_spec_is_exactly_50_frames_a_second() -> None:
    assert SPEC.frames_per_second == 50.0


def test_digest_changes_with_the_definition() -> None:
    assert FeatureSpec().digest == SPEC.digest
    assert FeatureSpec(hop=512).digest != SPEC.digest


def test_filterbank_is_librosas() -> None:
    reference = librosa.filters.mel(sr=SPEC.sample_rate_hz, n_fft=SPEC.n_fft, n_mels=SPEC.n_mels)
    np.testing.assert_allclose(mel_filterbank(), reference, atol=1e-8)


def test_frames_are_librosas() -> None:
    power = librosa.feature.melspectrogram(
        y=SIGNAL, sr=SPEC.sample_rate_hz, n_fft=SPEC.n_fft, hop_length=SPEC.hop, center=False
    )
    reference = np.log(np.maximum(power, SPEC.power_floor)).T
    assert WHOLE.dtype == np.float32
    assert WHOLE.shape == reference.shape == ((len(SIGNAL) - SPEC.n_fft) // SPEC.hop + 1, SPEC.n_mels)
    np.testing.assert_allclose(WHOLE, reference, rtol=1e-5, atol=2e-5)


@given(cuts=st.lists(st.integers(0, len(SIGNAL)), max_size=30))
def test_any_cut_gives_identical_frames(cuts: list[int]) -> None:
    log_mel = StreamingLogMel()
    frames = np.concatenate([log_mel.push(part) for part in np.split(SIGNAL, sorted(cuts))])
    np.testing.assert_array_equal(frames, WHOLE)


def test_one_sample_at_a_time_gives_identical_frames() -> None:
    log_mel = StreamingLogMel()
    short = SIGNAL[: SPEC.n_fft + 3 * SPEC.hop]
    frames = np.concatenate([log_mel.push(short[i : i + 1]) for i in range(len(short))])
    np.testing.assert_array_equal(frames, WHOLE[:4])


def test_reset_equals_new() -> None:
    log_mel = StreamingLogMel()
    log_mel.push(SIGNAL[:5000])
    log_mel.reset()
    np.testing.assert_array_equal(log_mel.push(SIGNAL), WHOLE)


def test_silence_is_the_floor() -> None:
    frames = StreamingLogMel().push(np.zeros(SPEC.n_fft, np.float32))
    np.testing.assert_array_equal(frames, np.full((1, SPEC.n_mels), SPEC.log_floor, np.float32))


def test_too_many_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="covers no FFT bin"):
        StreamingLogMel(FeatureSpec(n_mels=2048))
