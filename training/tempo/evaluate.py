"""Score tempo predictions: GTZAN's mel features through model and tracker, real audio with beats through the Analyzer.

A file's tempo is what `RunningSummary` makes of its events, as the program itself reports
it; its mean is that of the average posterior. A row of the audio manifest that names no split counts for every split.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.beat.head import BeatHead
from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.tempo.head import TempoHead
from stream_analyzer.analysis.tempo.output import TempoOutput
from stream_analyzer.analysis.tempo.tracker import TempoTracker
from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.library.engine import crew, results
from stream_analyzer.protocol.summary import RunningSummary
from stream_analyzer.types import AudioBlock, Tempo
from training.data.dataset import last_frames
from training.data.listening import Sound, read_sound
from training.data.sources import audio_rows, genre_files, read_genre_file
from training.tempo.score import octave_errors, right, scores, softmax

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.types import F32, F64

HUMAN = ("gtzan",)  # data sets whose tempo is a person's; that of the others is exact
SOON_S = 10.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found in one file: BPM of the whole, of the average posterior, and as shown after 10 s and at the end.

    ``share`` is how much of the time a right tempo was shown, ``first_right_s`` when it first was; infinite if never.
    """

    truth: float
    estimate: float
    mean: float
    soon: float
    end: float
    share: float
    first_right_s: float


class Listening:
    """A tempo model that remembers its posteriors."""

    def __init__(self, folder: Path) -> None:
        """Load the model in ``folder``."""
        self._model, self.beside = TfliteModel(folder), folder.parent / "beat"
        self.manifest, self.outputs = self._model.manifest, self._model.outputs
        self._bpm = np.array(TempoOutput.of(self.manifest).bpm)
        self.posteriors: list[F64] = []

    def run(self, window: F32) -> F32:
        """Run the model and keep what it said."""
        logits = self._model.run(window)
        self.posteriors.append(softmax(logits.astype(np.float64) / self.manifest.calibration["temperature"]))
        return logits

    def mean_bpm(self) -> float:
        """Return the mean of the average posterior since the last call, NaN if there is none."""
        heard, self.posteriors = self.posteriors, []
        return float(np.mean(heard, axis=0) @ self._bpm) if heard else float("nan")


def judge(events: list[tuple[float, Tempo]], *, truth: float, mean: float) -> Judged:
    """Sum up the tempi shown at their times in seconds."""
    summary = RunningSummary()
    for _, tempo in events:
        summary.add(tempo)
    shown = np.array([tempo.bpm for _, tempo in events])
    correct = right(shown, np.full(len(shown), truth))
    soon = [tempo.bpm for time_s, tempo in events if time_s <= SOON_S]
    found = summary.tempo()
    return Judged(
        truth=truth,
        estimate=found.bpm if found else 0.0,
        mean=mean,
        soon=soon[-1] if soon else 0.0,
        end=float(shown[-1]) if events else 0.0,
        share=float(correct.mean()) if events else 0.0,
        first_right_s=min((time_s for (time_s, _), one in zip(events, correct, strict=True) if one), default=np.inf),
    )


def judge_features(frames: F32, model: Listening, *, rate: float, truth: float) -> Judged:
    """Run log-mel [frames, 128] at ``rate`` frames a second as a stream; tempi come out in true time."""
    window = model.manifest.input
    assumed = SPEC.frames_per_second / window.every
    tracker = TempoTracker(model.manifest)
    events = []
    for end in np.arange(window.min_frames, len(frames) + 0.5, window.stride / window.every):
        heard = frames[: round(end)]
        tempo = tracker.update(
            lambda count, heard=heard: model.run(last_frames(heard[-count:], window.frames)),  # type: ignore[misc]
            time_s=round(end) / assumed,
        )
        scaled = tuple(replace(other, bpm=other.bpm * rate / assumed) for other in tempo.alternatives)
        tempo = replace(tempo, bpm=tempo.bpm * rate / assumed, alternatives=scaled)
        events.append((round(end) / rate, tempo))
    return judge(events, truth=truth, mean=model.mean_bpm() * rate / assumed)


def judge_audio(path: Path, model: Listening, *, truth: float, through: Path | None = None) -> Judged:
    """Run an audio file, or what the script ``through`` makes of it, through the Analyzer."""
    samples, rate_hz = read_sound(Sound(path, through=through))
    beat = BeatHead(TfliteModel(model.beside)) if model.beside.is_dir() else None
    heads: list[Head] = [TempoHead(model, ask=beat.tempo if beat else None)]
    analyzer = Analyzer(heads + ([beat] if beat else []))
    events = analyzer.feed(AudioBlock(samples, rate_hz)) + analyzer.end()
    tempi = [(event.time_s, event) for event in events if isinstance(event, Tempo)]
    return judge(tempi, truth=truth, mean=model.mean_bpm())


def report(judged: list[Judged]) -> dict[str, Any]:
    """Return the metrics of one data set: of whole files, and of what is shown on the way."""
    names = ("truth", "estimate", "mean", "soon", "end", "share", "first_right_s")
    truth, estimate, mean, soon, end, share, first = (
        np.array([getattr(one, name) for one in judged]) for name in names
    )
    median_s = float(np.median(first))
    return {
        **scores(estimate, truth, mean),
        "shown_after_10_s": scores(soon, truth),
        "shown_at_end": scores(end, truth),
        "shown_over_time": float(share.mean()),
        "octave_errors": octave_errors(estimate, truth),
        "first_right_s": median_s if np.isfinite(median_s) else None,
        "never_right": int(np.isinf(first).sum()),
    }


def evaluate(folder: Path, *, data: Path, split: str, through: Path | None = None) -> dict[str, Any]:
    """Score the int8 model in ``folder`` on the feature files and the audio manifest that ``data`` holds.

    ``through`` is a script that spoils each sound first: Python with ``process(samples, rate, rng)``.
    """
    judged = judge_all(folder, data=data, split=split, through=through)
    return {name: {"split": split, **_report_readable(found)} for name, found in judged.items()}


def judge_all(folder: Path, *, data: Path, split: str, through: Path | None = None) -> dict[str, list[Judged | str]]:
    """Judge every file of ``split``, by data set; a string says why a file could not be read."""
    _listening(folder)  # a model that can't be used is told here, in one line, not by a worker
    tasks: dict[str, list[tuple[Any, ...]]] = {}
    tasks |= _feature_tasks(data, split) if through is None else {}
    tasks |= _audio_tasks(data, split, through)
    if not tasks:
        msg = f"no gtzan_mel*.npz and no manifest.csv with rows of split {split!r} in {data}"
        raise ConfigError(msg)
    with crew() as client:
        return {name: results(client, partial(_judge, folder), rows) for name, rows in tasks.items() if rows}


def _report_readable(found: list[Judged | str]) -> dict[str, Any]:
    """Report on what could be read; the rest is named on standard error and counted as ``unreadable``."""
    problems = [one for one in found if isinstance(one, str)]
    for problem in problems:
        print(problem, file=sys.stderr)
    readable = [one for one in found if isinstance(one, Judged)]
    return {**(report(readable) if readable else {"n": 0}), "unreadable": len(problems)}


def _feature_tasks(data: Path, split: str) -> dict[str, list[tuple[Any, ...]]]:
    try:
        paths = [path for path in genre_files(data) if path.name.startswith("gtzan_mel")]
    except ConfigError:
        return {}
    tasks = {}
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            spacing = float(np.diff(file["frame_index"]).mean())
        clips = read_genre_file(path)
        rows = np.flatnonzero((clips.split == split) & np.isfinite(clips.bpm))
        rate = 22_050 / 512 / spacing
        tasks[path.stem] = [("features", clips.clip(int(row)), rate, float(clips.bpm[row])) for row in rows]
    return tasks


def _audio_tasks(data: Path, split: str, through: Path | None) -> dict[str, list[tuple[Any, ...]]]:
    try:
        folder, rows = audio_rows(data)
    except ConfigError:
        return {}
    tasks: dict[str, list[tuple[Any, ...]]] = {"exact_songs": [], "gtzan_audio": []}
    for row in rows:
        if row["bpm"] and row["split"] in ("", split):
            name = "gtzan_audio" if row["dataset"] in HUMAN else "exact_songs"
            tasks[name].append(("audio", folder / row["path"], float(row["bpm"]), through))
    return tasks


@lru_cache(maxsize=1)
def _listening(folder: Path) -> Listening:
    """Return the model of a worker, loaded once."""
    return Listening(folder)


def _judge(folder: Path, task: tuple[Any, ...]) -> Judged | str:
    """Judge one file in a worker; why it can't be read, if so."""
    model = _listening(folder)
    match task:
        case ("features", frames, rate, truth):
            return judge_features(frames, model, rate=rate, truth=truth)
        case ("audio", path, truth, through):
            try:
                return judge_audio(path, model, truth=truth, through=through)
            except AudioError as error:
                return str(error)
    msg = f"unknown task {task[0]!r}"
    raise ValueError(msg)
