"""Our front end makes FMA-small's pictures: of three originals where the data lies beside us, and as librosa does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import pytest
import soundfile

from tests.support.fakes import drum_loop
from training.data.fma_picture import FMA_SPEC, fma_picture

if TYPE_CHECKING:
    from stream_analyzer.types import U8

DATA = Path(__file__).parents[3] / "shared" / "data"
PAIRS, PICTURES = DATA / "fma_pairs", DATA / "genre" / "fma_small_mel109_4fps.npz"
TRACKS = (140, 534, 825)


def within_a_step(found: U8, wanted: U8) -> float:
    """Return the share of cells that differ by at most one step."""
    assert found.shape == wanted.shape == (109, 128)
    return float((np.abs(found.astype(int) - wanted) <= 1).mean())


@pytest.fixture(scope="module")
def pictures() -> dict[int, U8]:
    """Return the pictures of `TRACKS` by number."""
    with np.load(PICTURES) as data:
        levels, numbers = data["level"], data["track_id"]
    return {track: levels[np.flatnonzero(numbers == track)[0]] for track in TRACKS}


@pytest.mark.skipif(not PAIRS.is_dir(), reason=f"the data set lies beside the repository, and {PAIRS} is not there")
@pytest.mark.parametrize("track", TRACKS)
def test_an_original_looks_like_its_picture(track: int, pictures: dict[int, U8]) -> None:
    wanted = pictures[track]
    samples, rate_hz = soundfile.read(PAIRS / f"{track:06d}.mp3", dtype="float32", always_2d=True)
    assert rate_hz == FMA_SPEC.sample_rate_hz
    assert within_a_step(fma_picture(samples.mean(axis=1)), wanted) >= 0.99
    assert wanted.max() - wanted.min() > 60  # a picture of music, not of nothing


def test_a_picture_is_the_one_that_librosa_makes() -> None:
    rng, rate_hz = np.random.default_rng(5), FMA_SPEC.sample_rate_hz
    sound = drum_loop(7.0, rate_hz=rate_hz)[:, 0]
    sound = np.asarray(sound + rng.normal(0.0, 1e-4, len(sound)) * np.linspace(0.0, 1.0, len(sound)), np.float32)
    power = librosa.feature.melspectrogram(y=sound, sr=rate_hz, n_fft=2048, hop_length=512, n_mels=128)
    decibels = librosa.power_to_db(power, ref=np.max, top_db=80.0)
    columns = np.floor((np.arange(128) + 0.5) * decibels.shape[1] / 128).astype(int)
    wanted = (np.floor(255.0 * (decibels + 80.0) / 80.0) // 3).astype(np.uint8)[:109, columns]
    found = fma_picture(sound)
    assert within_a_step(found, wanted) == 1.0
    assert (found == wanted).mean() > 0.99
    assert found.max() - found.min() > 60
