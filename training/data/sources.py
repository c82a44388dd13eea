"""Read the data files that lie beside the project (formats: its data/README.md) as natural-log mel frames.

GTZAN comes at 12.906 frames a second and is taken for 12.5 (a 3 % stretch); FMA-small at 4.27, which is interpolated.
"""

from __future__ import annotations

import csv
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import SPEC, StreamingLogMel, mel_frequencies
from stream_analyzer.errors import ConfigError
from training.data.dataset import FrameSet, pack
from training.data.listening import read_mono

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F32, U8

NEPER_PER_DB = float(np.log(10.0) / 10.0)
SLOW_FRAMES_PER_SECOND = 12.5
FMA_BANDS = 109
FMA_COLUMN_FRAMES = 3
FMA_TOP_LEVEL = 85
FMA_RANGE_DB = 80.0
# FMA levels are uncalibrated; this puts their top where a loud recording has it. The models are blind to gain.
FMA_PEAK_DB = 35.0


def gtzan_log_mel(level: U8, range_db: float, peak_db: float) -> F32:
    """Convert one GTZAN row, uint8 [128, frames], to natural-log mel [frames, 128]."""
    decibels = (level.T.astype(np.float32) / 255.0 - 1.0) * range_db + peak_db
    return np.asarray(decibels * NEPER_PER_DB, np.float32)


def fma_log_mel(level: U8) -> F32:
    """Convert one FMA-small row, uint8 [109, columns], to natural-log mel [3 * columns, 128].

    Its bands lie on the Slaney scale of 0-22 050 Hz; the service's bands are interpolated between their centres.
    """
    centres_hz = mel_frequencies(SPEC.n_mels + 2, fmin_hz=0.0, fmax_hz=22_050.0)[1 : FMA_BANDS + 1]
    wanted_hz = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)[1:-1]
    position = np.interp(wanted_hz, centres_hz, np.arange(FMA_BANDS))
    below = np.minimum(position.astype(np.int64), FMA_BANDS - 2)
    share = (position - below).astype(np.float32)
    columns = level.T.astype(np.float32)
    bands = columns[:, below] * (1.0 - share) + columns[:, below + 1] * share
    decibels = bands * (FMA_RANGE_DB / FMA_TOP_LEVEL) - FMA_RANGE_DB + FMA_PEAK_DB
    return spread_columns(np.asarray(decibels * NEPER_PER_DB, np.float32), FMA_COLUMN_FRAMES)


def spread_columns(columns: F32, times: int) -> F32:
    """Make ``times`` frames of each of ``columns`` [n, bands], linearly between their centres."""
    position = np.clip((np.arange(len(columns) * times) + 0.5) / times - 0.5, 0.0, len(columns) - 1.0)
    below = np.minimum(position.astype(np.int64), len(columns) - 2)
    share = (position - below).astype(np.float32)[:, None]
    return np.asarray(columns[below] * (1.0 - share) + columns[below + 1] * share, np.float32)


def read_genre_file(path: Path) -> FrameSet:
    """Read a GTZAN or FMA-small file, told apart by what is in it."""
    try:
        with np.load(path, allow_pickle=False) as data:
            keys = set(data.files)
            if {"level", "range_db", "peak_db", "genre"} <= keys:
                return _gtzan(dict(data))
            if {"level", "track_id", "genre"} <= keys:
                return _fma(dict(data))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = f"can't read {path} as a genre data file ({type(error).__name__}); its formats are in data/README.md"
        raise ConfigError(msg) from error
    msg = f"{path} has neither GTZAN's nor FMA-small's arrays but {sorted(keys)}; see data/README.md"
    raise ConfigError(msg)


def _gtzan(data: dict[str, Any]) -> FrameSet:
    rows = zip(data["level"], data["range_db"], data["peak_db"], strict=True)
    return pack(
        [gtzan_log_mel(*row) for row in rows],
        frames_per_second=SLOW_FRAMES_PER_SECOND,
        name=data["name"],
        dataset=np.full(len(data["name"]), "gtzan"),
        label=data["genre"],
        tags=data["genre"],
        split=data["split"],
        group=data["name"],
        bpm=data["bpm"],
    )


def _fma(data: dict[str, Any]) -> FrameSet:
    tags = [str(text).replace(";", "|").replace(",", "|") for text in data["genres_all"]]
    return pack(
        [fma_log_mel(level) for level in data["level"]],
        frames_per_second=SLOW_FRAMES_PER_SECOND,
        name=data["track_id"].astype(np.str_),
        dataset=np.full(len(tags), "fma-small"),
        label=data["genre"],
        tags=tags,
        split=data["split"],
        group=data["group"].astype(np.str_),
    )


def genre_files(data: Path) -> list[Path]:
    """Return the genre data files in ``data/genre`` or ``data``."""
    folder = data / "genre" if (data / "genre").is_dir() else data
    found = sorted([*folder.glob("gtzan_mel*.npz"), *folder.glob("fma_small_mel*.npz")])
    if not found:
        msg = f"no gtzan_mel*.npz or fma_small_mel*.npz in {folder}; give the data folder with --data"
        raise ConfigError(msg)
    return found


def _read_named(data: Path, prefix: str) -> FrameSet:
    for path in genre_files(data):
        if path.name.startswith(prefix):
            return read_genre_file(path)
    msg = f"no {prefix}*.npz in {data} or {data / 'genre'}; give the data folder with --data"
    raise ConfigError(msg)


def read_gtzan(data: Path) -> FrameSet:
    """Read GTZAN's mel file in the data folder."""
    return _read_named(data, "gtzan_mel")


def read_fma_small(data: Path) -> FrameSet:
    """Read FMA-small's mel file in the data folder."""
    return _read_named(data, "fma_small_mel")


def audio_log_mel(path: Path) -> F32:
    """Return the service's log-mel, all 50 frames a second, of an audio file mixed to mono."""
    return StreamingLogMel().push(read_mono(path, SPEC.sample_rate_hz))


def audio_rows(data: Path) -> tuple[Path, list[dict[str, str]]]:
    """Return the folder and the rows of ``manifest.csv`` in ``data/audio`` or ``data``."""
    folder = data / "audio" if (data / "audio").is_dir() else data
    try:
        with (folder / "manifest.csv").open(newline="", encoding="utf-8") as table:
            return folder, list(csv.DictReader(table))
    except OSError as error:
        msg = f"can't read {folder / 'manifest.csv'}: {error.strerror}; give the data folder with --data"
        raise ConfigError(msg) from error


def list_audio(data: Path) -> FrameSet:
    """Return what ``manifest.csv`` says of its clips, without their frames."""
    _, rows = audio_rows(data)
    return _audio_set(rows, [np.empty((0, SPEC.n_mels), np.float32)] * len(rows))


def read_audio(data: Path) -> FrameSet:
    """Run the clips of ``manifest.csv`` through the service's own features, at all 50 frames a second."""
    folder, rows = audio_rows(data)
    return _audio_set(rows, [audio_log_mel(folder / row["path"]) for row in rows])


def _audio_set(rows: list[dict[str, str]], clips: list[F32]) -> FrameSet:
    return pack(
        clips,
        frames_per_second=SPEC.frames_per_second,
        name=[row["path"] for row in rows],
        dataset=[row["dataset"] for row in rows],
        label=[row["genre"] for row in rows],
        tags=[row["genre"] for row in rows],
        split=[row["split"] for row in rows],
        group=[row["source_id"] or row["path"] for row in rows],
        bpm=[float(row["bpm"] or "nan") for row in rows],
    )
