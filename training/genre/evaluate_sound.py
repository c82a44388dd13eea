"""What the service makes of sounds: clips that are not music, music that is held back, and sound beside its features.

Sound goes through the whole Analyzer. A clip that is not music is repeated to 15 s, so that it is judged a dozen times
however short it is; a single sound becomes a rhythm by that, which makes it no easier. Music is held back in a window
whose state is another than music.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.errors import ConfigError
from training.data.listening import Sound
from training.data.sources import audio_rows, genre_files, list_audio, read_genre_file
from training.genre.data import held_out, not_music, perhaps_music
from training.genre.scores import scores, truth_of

if TYPE_CHECKING:
    from pathlib import Path

    from training.data.dataset import FrameSet
    from training.genre.data import Flags
    from training.genre.hearing import Hear, Heard

LEAST_S = 15.0


def judge_sounds(hear: Hear, *, data: Path, split: str, through: Path | None = None) -> dict[str, Any]:
    """Return how much music is held back, and how what is no music fares; a sound without a split counts for each."""
    try:
        root, sounds = audio_rows(data)[0], list_audio(data)
    except ConfigError:
        return {}
    wanted = sounds.take(np.flatnonzero((sounds.split == "") | (sounds.split == split)))
    negative = not_music(wanted)
    heard = hear(
        Sound(root / name, LEAST_S * is_not, through) for name, is_not in zip(wanted.name, negative, strict=True)
    )
    return _held_back(heard, ~negative, "music, sounds") | _not_music(wanted, heard, split)


def judge_features(hear: Hear, *, data: Path, split: str) -> dict[str, Any]:
    """Return how much music is held back of the feature files, and how GTZAN's clips score as features and as sound."""
    sets = {str(frames.dataset[0]): frames for frames in map(read_genre_file, genre_files(data))}
    report: dict[str, Any] = {}
    for name, frames in sets.items():
        part = frames.take(np.flatnonzero(frames.split == split))
        heard = hear(part.clip(index) for index in range(len(part)))
        doubtful = perhaps_music(part)
        report |= _held_back(heard, ~doubtful, f"music, {name}")
        report |= _held_back(heard, doubtful, f"perhaps music, {name}")
    try:
        root, sounds = audio_rows(data)[0], list_audio(data)
    except ConfigError:
        return report
    return report | (_beside(sounds, sets["gtzan"], root, hear) if "gtzan" in sets else {})


def _held_back(heard: list[Heard], which: Flags, name: str) -> dict[str, Any]:
    clips = [heard[index] for index in np.flatnonzero(which)]
    windows = sum(clip.windows for clip in clips)
    if not windows:
        return {}
    back = windows - sum(clip.music for clip in clips)
    return {name: {"n": len(clips), "windows": windows, "held_back": back / windows}}


def _not_music(sounds: FrameSet, heard: list[Heard], split: str) -> dict[str, Any]:
    """Report on clips that are not music; those that trained apart, where the split is one that training knew."""
    kept = held_out(sounds) if split in ("train", "valid") else np.ones(len(sounds), bool)
    report: dict[str, Any] = {}
    for name, group in (("held out", kept), ("trained on", ~kept)):
        rows = np.flatnonzero(group & not_music(sounds))
        if len(rows):
            clips = [heard[row] for row in rows]
            failed = [str(sounds.name[row]) for row in rows if heard[row].confident]
            report[f"not music, {name}"] = {
                "n": len(rows),
                "never_confident": 1.0 - len(failed) / len(rows),
                "windows_as_music": sum(clip.music for clip in clips) / max(1, sum(clip.windows for clip in clips)),
                "confident": failed,
            }
    return report


def _beside(sounds: FrameSet, features: FrameSet, root: Path, hear: Hear) -> dict[str, Any]:
    """Report how GTZAN's clips score as sound and as features, cut to the same length, from the same windows."""
    place = {name: index for index, name in enumerate(features.name)}
    report: dict[str, Any] = {}
    for split in np.unique(features.split):
        same = (sounds.dataset == "gtzan") & np.isin(sounds.group, features.name)
        rows = np.flatnonzero(same & (sounds.split == split))
        heard = hear(Sound(root / name) for name in sounds.name[rows])
        rows = rows[[len(clip.logits) > 0 for clip in heard]]  # steady noise is not judged
        as_sound = [clip.logits for clip in heard if len(clip.logits)]
        if not as_sound:
            continue
        part = features.take(np.array([place[name] for name in sounds.group[rows]]))
        whole = [clip.logits for clip in hear(part.clip(index) for index in range(len(part)))]
        as_features = [logits[: len(sound)] for logits, sound in zip(whole, as_sound, strict=True)]
        _, truth = truth_of(part)
        found = {
            name: scores(logits, truth, dataset="gtzan", stride=1, temperature=1.0)["clip_accuracy"]
            for name, logits in (("sound", as_sound), ("features", as_features))
        }
        report[f"sound beside features, gtzan {split}"] = {"n": len(rows), **found}
    return report
