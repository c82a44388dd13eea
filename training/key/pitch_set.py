"""Clips of known key as pitch frames in bytes: what `training.prepare keys` and `training.prepare music` leave."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.key import profile
from stream_analyzer.analysis.key.names import LABELS, MAJOR
from stream_analyzer.analysis.pitches import PITCHES, StreamingPitches
from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import Place
from training.data.listening import read_mono
from training.data.sources import audio_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from stream_analyzer.types import F32, U8

NO_KEY = len(LABELS)
PER_NEPER = 10.0
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TONICS = {name: index for names in (SHARPS, MAJOR) for index, name in enumerate(names)} | {"Gb": 6, "Cb": 11}


def key_of(name: str) -> int:
    """Return the key (0-11 major, 12-23 minor) of a name as "A# minor"; raise `ValueError` if it is none."""
    tonic, _, mode = name.partition(" ")
    if tonic not in TONICS or mode not in ("major", "minor"):
        msg = f"{name!r} is no key; expected a tonic and major or minor, as A# minor"
        raise ValueError(msg)
    return TONICS[tonic] + 12 * (mode == "minor")


def to_bytes(frames: F32) -> U8:
    """Return log-power frames as bytes of a tenth of a neper above the floor."""
    scaled: U8 = np.clip(np.rint((frames - PITCHES.log_floor) * PER_NEPER), 0, 255).astype(np.uint8)
    return scaled


def from_bytes(levels: U8) -> F32:
    """Return the frames of `to_bytes`."""
    return levels.astype(np.float32) / np.float32(PER_NEPER) + np.float32(PITCHES.log_floor)


@dataclass(frozen=True, slots=True)
class PitchSet:
    """Clips: their frames in bytes [frames, bins], keys (24 for none), splits, names and kinds."""

    frames: tuple[U8, ...]
    key: npt.NDArray[np.int64]
    split: npt.NDArray[np.str_]
    name: npt.NDArray[np.str_]
    kind: npt.NDArray[np.str_]

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.frames)

    @property
    def total_s(self) -> float:
        """Length of all clips."""
        return sum(map(len, self.frames)) / PITCHES.frames_per_second

    def save(self, path: str | Path) -> None:
        """Write one file, here or elsewhere, whole or not at all."""
        with Place(path).writing() as file:
            np.savez(
                file,
                level=np.concatenate(self.frames),
                length=np.array([len(one) for one in self.frames]),
                key=self.key,
                split=self.split,
                name=self.name,
                kind=self.kind,
                feature=np.array(PITCHES.digest),
            )

    def salience(self, rows: Iterable[int]) -> list[F32]:
        """Return, by clip, how much each bin stands out in each frame, float32 [frames, bins]."""
        return [profile.salience(from_bytes(self.frames[row])) for row in rows]


def pack(frames: Sequence[F32], key: Sequence[int], split: Sequence[str], name: Sequence[str], kind: str) -> PitchSet:
    """Make a set of clips of one kind."""
    kinds = np.full(len(frames), kind)
    return PitchSet(tuple(map(to_bytes, frames)), np.array(key), np.array(split), np.array(name), kinds)


def load(paths: Sequence[Path]) -> PitchSet:
    """Read files as one set; raise `ConfigError` if there are none or they can't be read."""
    if not paths:
        msg = "no pitch frames; run: python -m training.prepare keys, and python -m training.prepare music"
        raise ConfigError(msg)
    frames: list[U8] = []
    columns: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in ("key", "split", "name", "kind")}
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as data:
                if str(data["feature"]) != PITCHES.digest:
                    msg = f"{path} was made for feature definition {data['feature']}, not {PITCHES.digest}; delete it"
                    raise ConfigError(msg)
                frames += np.split(data["level"], np.cumsum(data["length"])[:-1])
                for name, values in columns.items():
                    values.append(data[name])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            msg = f"can't read {path} as pitch frames ({type(error).__name__}); delete it and make it again"
            raise ConfigError(msg) from error
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    return PitchSet(tuple(frames), joined["key"].astype(np.int64), joined["split"], joined["name"], joined["kind"])


def human_keys(data: Path) -> dict[str, int]:
    """Return the keys that people named, by clip; without those that modulate or are unclear."""
    path = data / "annotations" / "gtzan_keys.csv"
    try:
        with path.open(newline="", encoding="utf-8") as table:
            return {row["clip"]: key_of(row["key"]) for row in csv.DictReader(table) if row["key"]}
    except OSError as error:
        msg = f"can't read {path}: {error.strerror}; give the data folder with --data"
        raise ConfigError(msg) from error


def keyed_rows(data: Path) -> tuple[Path, list[tuple[dict[str, str], int]]]:
    """Return the audio folder and the rows of its GTZAN clips that have a human key, each with that."""
    folder, rows = audio_rows(data)
    keys = human_keys(data)
    named = [(row, keys.get(row["source_id"])) for row in rows if row["dataset"] == "gtzan"]
    return folder, [(row, key) for row, key in named if key is not None]


def read_keys(data: Path) -> PitchSet:
    """Run the GTZAN clips that have sound and a human key through the service's own features."""
    folder, rows = keyed_rows(data)
    frames = [pitch_frames(folder / row["path"]) for row, _ in rows]
    splits, names = [row["split"] for row, _ in rows], [row["source_id"] for row, _ in rows]
    return pack(frames, [key for _, key in rows], splits, names, "gtzan")


def pitch_frames(path: Path) -> F32:
    """Return the pitch frames of an audio file mixed to mono."""
    return StreamingPitches().push(read_mono(path, PITCHES.sample_rate_hz))
