"""FrameSet: the clips of one data set as log-mel frames, stored as bytes; and windows cut out of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import Place
from training.data.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream_analyzer.analysis.manifest import ModelInput
    from stream_analyzer.types import F32, U8

Strings = npt.NDArray[np.str_]
Integers = npt.NDArray[np.int64]

# Bytes hold natural-log mel in steps of 0.13 (0.56 dB, the resolution of an int8 model input) from the log floor up.
LOG_STEP = 0.13


def to_bytes(log_mel: F32) -> U8:
    """Store natural-log mel power as bytes."""
    levels: U8 = np.clip(np.rint((log_mel - SPEC.log_floor) / LOG_STEP), 0, 255).astype(np.uint8)
    return levels


def from_bytes(level: U8) -> F32:
    """Return the natural-log mel power, float32, that ``level`` stands for."""
    return level.astype(np.float32) * np.float32(LOG_STEP) + np.float32(SPEC.log_floor)


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Clips of one data set.

    ``level`` [frames of all clips, 128] holds them one after another, in memory or as shards on disk; clip i from
    ``start[i]`` for ``length[i]`` frames, ``frames_per_second`` apart. ``group`` joins clips that must not be split;
    ``tags`` are free labels, separated by "|"; ``bpm`` is NaN where unknown.
    """

    level: U8 | Shards
    start: Integers
    length: Integers
    frames_per_second: float
    name: Strings
    dataset: Strings
    label: Strings
    tags: Strings
    split: Strings
    group: Strings
    bpm: F32

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.start)

    @property
    def total_s(self) -> float:
        """Duration of all clips in seconds."""
        return float(self.length.sum() / self.frames_per_second)

    def clip(self, index: int) -> F32:
        """Return the natural-log mel [frames, 128] of one clip."""
        return from_bytes(self.levels(index))

    def levels(self, index: int) -> U8:
        """Return the stored bytes [frames, 128] of one clip."""
        first = int(self.start[index])
        return self.level[first : first + int(self.length[index])]

    def take(self, rows: Integers) -> FrameSet:
        """Return the clips ``rows`` alone; the frames are shared."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        shared = {"level", "frames_per_second"}
        return FrameSet(**{key: value if key in shared else value[rows] for key, value in columns.items()})

    def save(self, path: str | Path) -> None:
        """Write to an npz file, here or elsewhere; of shards, which lie in a folder beside it, only where they are."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        if isinstance(self.level, Shards):
            columns |= {"level": self.level.frames, "shards": self.level.folder.name}
        with Place(path).writing() as file:
            np.savez_compressed(file, **columns)


def load_frame_set(path: Path) -> FrameSet:
    """Read what `FrameSet.save` wrote."""
    try:
        with np.load(path, allow_pickle=False) as data:
            values: dict[str, Any] = {field.name: data[field.name] for field in fields(FrameSet)}
            if "shards" in data.files:
                values["level"] = Shards(path.parent / str(data["shards"]), values["level"])
    except FileNotFoundError as error:
        msg = f"no prepared set {path}; run: python -m training.prepare {path.stem} --out {path.parent}"
        raise ConfigError(msg) from error
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        msg = f"{path} is not a prepared set ({error}); run: python -m training.prepare {path.stem}"
        raise ConfigError(msg) from error
    return FrameSet(**{**values, "frames_per_second": float(values["frames_per_second"])})


def pack(clips: list[F32], *, frames_per_second: float, **columns: Any) -> FrameSet:  # noqa: ANN401 - arrays a clip
    """Join ``clips`` (natural-log mel [frames, 128] each) and their ``columns``; a missing column is empty."""
    length = np.array([len(clip) for clip in clips], np.int64)
    empty = np.full(len(clips), "", np.str_)
    level = np.concatenate([to_bytes(clip) for clip in clips]) if clips else np.empty((0, SPEC.n_mels), np.uint8)
    named = dict.fromkeys(("name", "dataset", "label", "tags", "split", "group"), empty)
    named |= {key: np.asarray(value, np.str_) for key, value in columns.items() if key != "bpm"}
    return FrameSet(
        level=level,
        start=np.cumsum(length) - length,
        length=length,
        frames_per_second=frames_per_second,
        bpm=np.asarray(columns.get("bpm", np.full(len(clips), np.nan)), np.float32),
        **named,
    )


def last_frames(clip: F32, frames: int) -> F32:
    """Return the last ``frames`` of ``clip`` [n, 128], with the log floor before it where it is shorter."""
    window = np.full((frames, clip.shape[1]), SPEC.log_floor, np.float32)
    kept = clip[-frames:]
    window[frames - len(kept) :] = kept
    return window


def windows_of(clip: F32, *, frames: int, step: int) -> F32:
    """Cut ``clip`` [n, 128] into windows [count, frames, 128], ``step`` apart; a short one is padded at its front."""
    if len(clip) <= frames:
        return last_frames(clip, frames)[None]
    views = np.lib.stride_tricks.sliding_window_view(clip, frames, axis=0)[::step]
    return np.ascontiguousarray(views.transpose(0, 2, 1))


def live_windows(clip: F32, window: ModelInput) -> Iterator[tuple[int, F32]]:
    """Yield what the service shows a model of ``clip`` [n, 128], each stride: where it ends, and the window."""
    for end in np.arange(window.min_frames, len(clip) + 0.5, window.stride / window.every).round().astype(int):
        yield int(end), last_frames(clip[max(0, end - window.heard) : end], window.frames)
