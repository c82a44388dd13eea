"""Clips whose beats are known, kept as log-mel bytes: written by those that make them, read by training.

A file of clips (npz) holds ``level`` uint8 [frames of all clips, 128], ``length`` [clips], ``name`` [clips], and of all
beats ``beat_s`` with the clip they belong to, ``beat_clip``, and their ``place`` in the bar (1 the downbeat, 0
unknown). Clips that a teacher has heard hold ``heard`` instead, float16 [frames of all clips, 2]: how likely a beat and
a downbeat are at each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stream_analyzer.types import F32, F64, U8


@dataclass(frozen=True, slots=True)
class Clip:
    """Log-mel bytes uint8 [frames, 128] at 50 frames a second, and when beats fall: by people, a score or a teacher.

    ``time_s`` are seconds from the clip's first sample, ``place`` is each beat's in its bar (1 is the downbeat, 0
    unknown); both are empty where ``heard`` float32 [frames, 2] says how likely beat and downbeat are at each frame.
    """

    name: str
    level: U8
    time_s: F64
    place: F64
    heard: F32 | None = None


def write_clips(path: str | Path, clips: Sequence[Clip]) -> None:
    """Write a file of clips, whole or not at all."""
    fields: dict[str, Any] = {
        "level": np.concatenate([clip.level for clip in clips]),
        "length": np.array([len(clip.level) for clip in clips]),
        "name": np.array([clip.name for clip in clips]),
        "beat_s": np.concatenate([clip.time_s for clip in clips]),
        "beat_clip": np.concatenate([np.full(len(clip.time_s), i) for i, clip in enumerate(clips)]),
        "place": np.concatenate([clip.place for clip in clips]),
        "feature": np.array(SPEC.digest),
    }
    heard = [clip.heard for clip in clips if clip.heard is not None]
    if heard:
        fields["heard"] = np.concatenate(heard).astype(np.float16)
    with Place(path).writing() as file:
        np.savez(file, **fields)


def read_clips(folder: Path) -> list[Clip]:
    """Return the clips of every file in ``folder``, or of the one file that it is.

    Raises
    ------
    ConfigError
        There is none, or one was made for other features.
    """
    paths = sorted(folder.glob("*.npz")) if folder.is_dir() else [folder] * folder.is_file()
    if not paths:
        msg = f"no clips in {folder}: training/README.md says how to make them"
        raise ConfigError(msg)
    return [clip for path in paths for clip in _read(path)]


def _read(path: Path) -> Iterator[Clip]:
    with np.load(path, allow_pickle=False) as file:
        if str(file["feature"]) != SPEC.digest:
            msg = f"{path} is made of features {file['feature']}, this program computes {SPEC.digest}; make it again"
            raise ConfigError(msg)
        fields = {name: file[name] for name in file.files}
    ends = np.cumsum(fields["length"])
    for index, end in enumerate(ends):
        frames, mine = slice(end - fields["length"][index], end), fields["beat_clip"] == index
        heard = fields["heard"][frames].astype(np.float32) if "heard" in fields else None
        yield Clip(
            str(fields["name"][index]), fields["level"][frames], fields["beat_s"][mine], fields["place"][mine], heard
        )
