"""Let the served genre head hear sounds and features as streams, in worker processes.

Sound goes through the whole Analyzer. What comes of a clip is every `Genre` that a listener would have seen.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.genre.head import GenreHead
from stream_analyzer.analysis.genre.output import GenreOutput
from stream_analyzer.analysis.genre.tracker import GenreTracker
from stream_analyzer.analysis.manifest import load_manifest
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.errors import ConfigError
from stream_analyzer.library.engine import crew, results
from stream_analyzer.types import AudioBlock, Genre
from training.data.dataset import live_windows
from training.data.listening import Sound, read_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F32

    Hear = Callable[[Iterable[F32 | Sound]], list["Heard"]]

# One more int8 file of the published network, with a head for each source that did not teach it; for scoring alone.
LEFT_OUT = Path(__file__).parent / "left_out"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a clip came to: the genres as they were shown, whether one was confident, the label logits."""

    genres: tuple[Genre, ...]
    confident: bool
    logits: F32

    @property
    def windows(self) -> int:
        """Windows that were judged."""
        return sum(genre.state != "holding" for genre in self.genres)

    @property
    def music(self) -> int:
        """Windows that were music."""
        return sum(genre.state == "music" for genre in self.genres)


class Listening:
    """A genre model that remembers its label logits. State: those, and which source's clips must not have taught."""

    def __init__(self, folder: Path) -> None:
        """Load the model in ``folder``, and its heads that a source did not teach, if it has them."""
        self._model = TfliteModel(folder)
        self.manifest, self.outputs = self._model.manifest, self._model.outputs
        self._labels = len(GenreOutput.of(self.manifest).labels)
        self._left_out = TfliteModel(LEFT_OUT) if sources_left_out(self.manifest) else None
        self._source = ""
        self._logits: list[F32] = []

    def run(self, window: F32) -> F32:
        """Run the model and keep what it said."""
        logits = self._without(window) if self._source else self._model.run(window)
        self._logits.append(logits[: self._labels])
        return logits

    def hear(self, task: F32 | Sound) -> Heard:
        """Hear a sound, or log-mel [frames, bands] at the model's frame rate, afresh."""
        self._source = task.left_out if isinstance(task, Sound) else ""
        genres = self._hear_sound(task) if isinstance(task, Sound) else self._hear_frames(task)
        logits, self._logits = self._logits, []
        return Heard(
            genres=tuple(genres),
            confident=any(genre.sure and genre.state == "music" for genre in genres),
            logits=np.stack(logits) if logits else np.empty((0, self._labels), np.float32),
        )

    def _without(self, window: F32) -> F32:
        """Return the logits of the head that the source did not teach, and of music."""
        if self._left_out is None:
            msg = f"no head of {self.manifest.name} {self.manifest.version} leaves {self._source} out; export it again"
            raise ConfigError(msg)
        logits = self._left_out.run(window)
        first = self._labels * sources_left_out(self.manifest).index(self._source)
        return np.append(logits[first : first + self._labels], logits[-1:])

    def _hear_frames(self, clip: F32) -> Sequence[Genre]:
        tracker, window = GenreTracker(self.manifest), self.manifest.input
        return [
            tracker.update(self.run(frames), time_s=end * window.every / self.manifest.feature.frames_per_second)
            for end, frames in live_windows(clip, window)
        ]

    def _hear_sound(self, sound: Sound) -> Sequence[Genre]:
        samples, rate_hz = read_sound(sound)
        analyzer = Analyzer([GenreHead(self)])
        events = analyzer.feed(AudioBlock(samples, rate_hz)) + analyzer.end()
        return [event for event in events if isinstance(event, Genre)]


def sources_left_out(manifest: ModelManifest) -> list[str]:
    """Return the sources for which a head exists that they did not teach, in order; none for another model."""
    if not LEFT_OUT.is_dir():
        return []
    found = load_manifest(LEFT_OUT)
    sources: list[str] = found.output["left_out"]
    return sources if found.training["of"] == manifest.sha256 else []


@contextmanager
def hearing(folder: Path) -> Iterator[Hear]:
    """Give a function that lets the model in ``folder`` hear sounds and features, on all cores of this machine."""
    _listening(folder)  # a model that can't be used is told here, in one line, not by a worker
    with crew() as client:
        yield partial(results, client, partial(_hear, folder))


@lru_cache(maxsize=1)
def _listening(folder: Path) -> Listening:
    """Return the model of a worker, loaded once."""
    return Listening(folder)


def _hear(folder: Path, task: F32 | Sound) -> Heard:
    return _listening(folder).hear(task)
