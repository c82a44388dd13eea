"""What the service makes of sounds: clips that are not music, music that is held back, and sound beside its features.

Sound goes through the whole Analyzer. A clip that is not music is repeated to 15 s, so that it is judged a dozen times
however short it is; a single sound becomes a rhythm by that, which makes it no easier. Music is held back in a window
whose state is another than music.
"""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.genre.head import GenreHead
from stream_analyzer.analysis.genre.output import Calibration
from stream_analyzer.analysis.genre.tracker import GenreTracker, is_confident
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.types import AudioBlock, Genre
from training.data.dataset import live_windows
from training.data.genres import LABELS
from training.data.sources import audio_rows, genre_files, list_audio, read_genre_file
from training.genre.data import held_out, not_music, perhaps_music
from training.genre.scores import scores, truth_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from stream_analyzer.types import F32
    from training.data.dataset import FrameSet
    from training.genre.data import Flags

JOBS = 2
LEAST_S = 15.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What a clip came to: windows judged and how many were music, whether a genre was confident, the label logits."""

    windows: int
    music: int
    confident: bool
    logits: F32


class Listening:
    """A genre model that remembers its label logits."""

    def __init__(self, folder: Path) -> None:
        """Load the model in ``folder``."""
        self._model = TfliteModel(folder)
        self.manifest, self.outputs = self._model.manifest, self._model.outputs
        self._logits: list[F32] = []

    def run(self, window: F32) -> F32:
        """Run the model and keep what it said."""
        logits = self._model.run(window)
        self._logits.append(logits[: len(LABELS)])
        return logits

    def heard(self, genres: Sequence[Genre]) -> Heard:
        """Sum up what was shown, and what the model said since the last call."""
        logits, self._logits = self._logits, []
        judged = [genre for genre in genres if genre.state != "holding"]
        return Heard(
            windows=len(judged),
            music=sum(genre.state == "music" for genre in judged),
            confident=any(is_confident(genre, Calibration.of(self.manifest)) for genre in judged),
            logits=np.stack(logits) if logits else np.empty((0, len(LABELS)), np.float32),
        )

    def hear_frames(self, clip: F32) -> Heard:
        """Run log-mel [frames, 128] at the model's frame rate as a stream."""
        tracker, window = GenreTracker(self.manifest), self.manifest.input
        genres = [
            tracker.update(self.run(frames), time_s=end * window.every / self.manifest.feature.frames_per_second)
            for end, frames in live_windows(clip, window)
        ]
        return self.heard(genres)

    def hear_sound(self, path: Path, *, least_s: float) -> Heard:
        """Run an audio file, repeated until it lasts ``least_s``, through the Analyzer."""
        try:
            samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            msg = f"can't read {path}: {error}"
            raise AudioError(msg) from error
        samples = np.tile(samples, (max(1, int(np.ceil(least_s * rate_hz / max(1, len(samples))))), 1))
        analyzer = Analyzer([GenreHead(self)])
        events = analyzer.feed(AudioBlock(samples, rate_hz)) + analyzer.end()
        return self.heard([event for event in events if isinstance(event, Genre)])


def evaluate(folder: Path, *, data: Path, split: str) -> dict[str, Any]:
    """Return the sections that ``data`` has clips of ``split`` for; a sound without a split counts for each."""
    sets = {str(frames.dataset[0]): frames for frames in map(read_genre_file, genre_files(data))}
    with get_context("spawn").Pool(JOBS, initializer=_start, initargs=(folder,)) as pool:

        def hear(tasks: Iterable[F32 | tuple[Path, float]]) -> list[Heard]:
            return pool.map(_hear, tasks, chunksize=8)

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
        wanted = sounds.take(np.flatnonzero((sounds.split == "") | (sounds.split == split)))
        negative = not_music(wanted)
        heard = hear((root / name, LEAST_S * is_not) for name, is_not in zip(wanted.name, negative, strict=True))
        report |= _held_back(heard, ~negative, "music, sounds")
        report |= _not_music(wanted, heard, split)
        if "gtzan" in sets:
            report |= _beside(sounds, sets["gtzan"], root, hear)
    return report


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


def _beside(
    sounds: FrameSet, features: FrameSet, root: Path, hear: Callable[[Iterable[Any]], list[Heard]]
) -> dict[str, Any]:
    """Report how GTZAN's clips score as sound and as features, cut to the same length, from the same windows."""
    place = {name: index for index, name in enumerate(features.name)}
    report: dict[str, Any] = {}
    for split in np.unique(features.split):
        same = (sounds.dataset == "gtzan") & np.isin(sounds.group, features.name)
        rows = np.flatnonzero(same & (sounds.split == split))
        if not len(rows):
            continue
        part = features.take(np.array([place[name] for name in sounds.group[rows]]))
        as_sound = [clip.logits for clip in hear((root / name, 0.0) for name in sounds.name[rows])]
        whole = [clip.logits for clip in hear(part.clip(index) for index in range(len(part)))]
        as_features = [logits[: len(sound)] for logits, sound in zip(whole, as_sound, strict=True)]
        _, truth = truth_of(part)
        found = {
            name: scores(logits, truth, dataset="gtzan", stride=1, temperature=1.0)["clip_accuracy"]
            for name, logits in (("sound", as_sound), ("features", as_features))
        }
        report[f"sound beside features, gtzan {split}"] = {"n": len(rows), **found}
    return report


_model: Listening | None = None


def _start(folder: Path) -> None:
    global _model  # noqa: PLW0603 - the models of a worker process, loaded once
    _model = Listening(folder)


def _hear(task: F32 | tuple[Path, float]) -> Heard:
    """Judge features, or a sound that is repeated until it lasts so many seconds, in a worker."""
    if _model is None:
        msg = "worker was not started"
        raise RuntimeError(msg)
    if isinstance(task, tuple):
        return _model.hear_sound(task[0], least_s=task[1])
    return _model.hear_frames(task)
