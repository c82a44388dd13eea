"""Tiny generated data in the formats of the real data files; nothing here comes from them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

import training  # noqa: F401 - chooses Keras 2, before any test imports TensorFlow

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F64

GTZAN_GENRES = ("blues", "classical", "hiphop", "rock")
FMA_GENRES = ("Electronic", "Folk", "Hip-Hop", "Rock")
AUDIO = (
    ("gtzan/rock.00000.ogg", "gtzan", "rock", "train", "rock.00000"),
    ("gtzan/blues.00000.ogg", "gtzan", "blues", "valid", "blues.00000"),
    ("librosa/tune.ogg", "librosa_data", "jazz", "", ""),
    *((f"not_music/rain_{index}.ogg", "esc10", "negative_rain", "", "") for index in range(8)),
)


def splits(count: int) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    return np.array(["train", "train", "valid"] * count)[:count]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder with genre files and audio, as `training.prepare` expects it."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    (folder / "genre").mkdir()
    genre = np.repeat(GTZAN_GENRES, 3)
    np.savez(
        folder / "genre" / "gtzan_mel.npz",
        name=np.array([f"{label}.{index:05d}" for index, label in enumerate(genre)]),
        genre=genre,
        split=splits(12),
        level=rng.integers(0, 256, (12, 128, 387), np.uint8),
        range_db=np.full(12, 80.0, np.float32),
        peak_db=np.full(12, 30.0, np.float32),
        frame_index=np.arange(387),
        bpm=np.full(12, np.nan, np.float32),
        ibi_cv=np.full(12, np.nan, np.float32),
    )
    genre = np.repeat(FMA_GENRES, 3)
    np.savez(
        folder / "genre" / "fma_small_mel109_4fps.npz",
        track_id=np.arange(12),
        genre=genre,
        genres_all=np.array([f"{label}|Noise" for label in genre]),
        group=np.arange(12),
        split=splits(12),
        level=rng.integers(0, 86, (12, 109, 128), np.uint8),
    )
    write_audio(folder / "audio", rng)
    return folder


def pulsing_noise(rng: np.random.Generator, seconds: float) -> F64:
    """Return noise at 22 050 Hz that comes and goes twice a second: what is steady is not judged at all."""
    time = np.arange(round(seconds * 22_050)) / 22_050
    return rng.normal(0.0, 0.1, len(time)) * np.where(time % 0.5 < 0.25, 1.0, 0.05)


def write_audio(folder: Path, rng: np.random.Generator) -> None:
    fields = ("path", "dataset", "genre", "bpm", "ibi_cv", "split", "duration_s", "source_id", "licence")
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="") as table:
        writer = csv.DictWriter(table, fields, restval="")
        writer.writeheader()
        for path, dataset, genre, split, source in AUDIO:
            (folder / path).parent.mkdir(exist_ok=True)
            soundfile.write(folder / path, pulsing_noise(rng, 4.0), 22_050)
            row = {"path": path, "dataset": dataset, "genre": genre, "split": split, "source_id": source}
            writer.writerow(row)
