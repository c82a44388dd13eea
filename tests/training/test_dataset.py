"""Data files -> frames in the service's representation; windows; stored bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.features import SPEC, mel_frequencies
from stream_analyzer.errors import ConfigError
from training.data import sources
from training.data.dataset import LOG_STEP, from_bytes, last_frames, load_frame_set, to_bytes, windows_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train


def test_bytes_round_trip_within_half_a_step() -> None:
    log_mel = np.linspace(SPEC.log_floor, 9.5, 1000, dtype=np.float32)
    np.testing.assert_allclose(from_bytes(to_bytes(log_mel)), log_mel, atol=LOG_STEP / 2 + 1e-5)


def test_gtzan_levels_become_natural_log_power() -> None:
    level = np.array([[255, 0]] * 128, np.uint8)
    frames = sources.gtzan_log_mel(level, 80.0, 30.0)
    assert frames.shape == (2, 128)
    np.testing.assert_allclose(frames[:, 0], np.log([1e3, 1e-5]), rtol=1e-5)


def test_fma_bands_land_on_the_services_frequencies() -> None:
    source_hz = mel_frequencies(130, fmin_hz=0.0, fmax_hz=22_050.0)[1:110]
    service_hz = mel_frequencies(130, fmin_hz=0.0, fmax_hz=11_025.0)[1:-1]
    for tone_hz in (300.0, 1000.0, 4000.0, 9000.0):
        level = np.zeros((109, 2), np.uint8)
        level[np.argmin(np.abs(source_hz - tone_hz))] = 85
        frames = sources.fma_log_mel(level)
        assert frames.shape == (6, 128)
        assert service_hz[frames[0].argmax()] == pytest.approx(tone_hz, rel=0.08)


def test_fma_columns_become_three_frames_each() -> None:
    level = np.tile(np.arange(4, dtype=np.uint8) * 20, (109, 1))
    frames = sources.fma_log_mel(level)
    assert len(frames) == 12
    assert len(np.unique(np.diff(frames[1:-1, 50]).round(4))) == 1  # evenly between their centres


def test_short_clip_is_padded_in_front_with_the_log_floor() -> None:
    clip = np.ones((5, 128), np.float32)
    window = last_frames(clip, 8)
    np.testing.assert_array_equal(window[:3], np.float32(SPEC.log_floor))
    np.testing.assert_array_equal(window[3:], 1.0)
    np.testing.assert_array_equal(windows_of(clip, frames=8, step=2), window[None])


def test_windows_do_not_run_over_the_end() -> None:
    clip = np.repeat(np.arange(20, dtype=np.float32)[:, None], 128, axis=1)
    cut = windows_of(clip, frames=8, step=6)
    assert cut.shape == (3, 8, 128)
    np.testing.assert_array_equal(cut[:, 0, 0], [0, 6, 12])


def test_files_are_told_apart_by_content(data: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "gtzan_mel_test.npz"
    renamed.write_bytes((data / "genre" / "fma_small_mel109_4fps.npz").read_bytes())
    assert set(sources.read_genre_file(renamed).dataset) == {"fma-small"}
    assert sources.genre_files(tmp_path) == [renamed]


def test_foreign_file_is_refused_in_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "gtzan_mel.npz", x=np.zeros(3))
    with pytest.raises(ConfigError, match="neither GTZAN's nor FMA-small's"):
        sources.read_genre_file(tmp_path / "gtzan_mel.npz")
    (tmp_path / "fma_small_mel.npz").write_bytes(b"not a zip file")
    with pytest.raises(ConfigError, match="as a genre data file"):
        sources.read_genre_file(tmp_path / "fma_small_mel.npz")
    with pytest.raises(ConfigError, match="give the data folder"):
        sources.genre_files(tmp_path / "nowhere")


def test_frame_set_survives_its_file(data: Path, tmp_path: Path) -> None:
    frames = sources.read_audio(data)
    frames.save(tmp_path / "audio.npz")
    loaded = load_frame_set(tmp_path / "audio.npz")
    assert loaded.frames_per_second == SPEC.frames_per_second
    assert list(loaded.name) == list(frames.name)
    np.testing.assert_array_equal(loaded.clip(3), frames.clip(3))
    part = loaded.take(np.array([3, 1]))
    np.testing.assert_array_equal(part.clip(0), frames.clip(3))
    with pytest.raises(ConfigError, match=r"training\.prepare gtzan"):
        load_frame_set(tmp_path / "gtzan.npz")
