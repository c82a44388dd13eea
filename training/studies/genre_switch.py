"""Measure how the shown genre follows a set: clips one after another through the int8 model and `GenreTracker`.

Clips of 30 s come in a random order in which no two neighbours share a genre, GTZAN's and FMA-small's apart. Labels
that a set can't know are out of reach, as in `training.genre.scores`, and all of it counts as music.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.genre.output import GenreOutput
from stream_analyzer.analysis.genre.tracker import SWITCH_MARGIN, GenreTracker, genre_memory
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.probability import softmax
from stream_analyzer.analysis.smoothing import RollingMean
from stream_analyzer.errors import ConfigError
from training.data.dataset import live_windows
from training.data.genres import LABELS
from training.data.sources import genre_files, read_genre_file
from training.genre.scores import calibration_error, restrict, truth_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F32, F64
    from training.data.dataset import FrameSet, Integers
    from training.genre.data import Flags

CLIPS_A_GENRE = 25
SEED = 1
SETTLED_S = 15.0  # from here on a track's past is out of the window, and a change of label is false
MOMENTS_S = (3.1, 6.0, 10.0, 20.0)
TICK_S = 0.1
MUSIC = np.float32(20.0)


class ArithmeticMean(RollingMean):
    """Averages posteriors where `RollingMean` averages their logarithms."""

    def update(self, vector: F32 | F64, *, time_s: float) -> F64:
        """Take logits, return the logarithm of the mean posterior."""
        mean = super().update(softmax(np.asarray(vector, np.float64)), time_s=time_s)
        return np.log(np.maximum(mean, 1e-30))


class SurprisedMean(RollingMean):
    """Forgets the faster, the less a window agrees with what is remembered, as `tempo.TempoTracker` does."""

    def __init__(self, *, time_constant_s: float, surprise: float) -> None:
        """Forget ``1 + surprise`` times faster when they contradict each other altogether."""
        self._surprise = surprise
        super().__init__(time_constant_s=time_constant_s)

    def _keep(self, vector: F32 | F64, *, elapsed_s: float) -> float:
        if self.value is None:
            return 0.0
        now, past = softmax(np.asarray(vector, np.float64)), softmax(self.value)
        agreement = float(now @ past / np.sqrt((now @ now) * (past @ past)))
        haste = 1.0 + self._surprise * (1.0 - agreement)
        return super()._keep(vector, elapsed_s=elapsed_s * haste)


@dataclass(frozen=True, slots=True)
class Setting:
    """A way to smooth: seconds of sound in a window, how windows are averaged, and the lead that changes the label."""

    heard_s: float
    name: str
    memory: Callable[[], RollingMean]
    margin: float = SWITCH_MARGIN


def settings(manifest: ModelManifest) -> list[Setting]:
    """Return how it is served first, then others around that."""
    own_s, tau = manifest.window_s, manifest.time_constant_s
    full_s = manifest.input.frames * manifest.input.every / SPEC.frames_per_second

    def mean(heard_s: float, seconds: float, margin: float = SWITCH_MARGIN) -> Setting:
        name = f"mean {seconds:g} s" + (f", margin {margin:g}" if margin != SWITCH_MARGIN else "")
        return Setting(heard_s, name, partial(RollingMean, time_constant_s=seconds), margin)

    def surprised(seconds: float, surprise: float) -> Setting:
        memory = partial(SurprisedMean, time_constant_s=seconds, surprise=surprise)
        return Setting(own_s, f"mean {seconds:g} s, surprise {surprise:g}", memory)

    others = [seconds for seconds in (3.04, 5.04, full_s) if abs(seconds - own_s) > TICK_S]
    return [
        Setting(own_s, "as served", partial(genre_memory, manifest)),
        mean(own_s, tau),
        *(mean(own_s, seconds) for seconds in (1.0, 2.0, 3.0, 4.0, 8.0) if seconds != tau),
        *(mean(own_s, tau, margin) for margin in (0.0, 0.1, 0.2)),
        Setting(own_s, f"arithmetic mean {tau:g} s", partial(ArithmeticMean, time_constant_s=tau)),
        surprised(8.0, 4.0),
        surprised(16.0, 16.0),
        *(mean(heard_s, seconds) for heard_s in others for seconds in (1.0, 2.0, 4.0)),
    ]


@dataclass(frozen=True, slots=True)
class Stream:
    """Clips [frames, 128] one after another, each a track of a genre (its index in LABELS)."""

    frames: F32
    starts: Integers
    truth: Integers
    dataset: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Windows of a stream: their ends in seconds, the tracks they end in and since when, label logits [n, labels]."""

    time_s: F64
    track: Integers
    into_s: F64
    logits: F32


def arrange(truth: Integers, rng: np.random.Generator) -> list[int]:
    """Return indices in an order in which neighbours differ; what can't be placed so is left out."""
    left = {int(label): list(rng.permutation(np.flatnonzero(truth == label))) for label in np.unique(truth)}
    order: list[int] = []
    while True:
        last = truth[order[-1]] if order else -1
        free = {label: len(rows) for label, rows in left.items() if rows and label != last}
        if not free:
            return order
        shares = np.array(list(free.values())) / sum(free.values())
        order.append(int(left[int(rng.choice(list(free), p=shares))].pop()))


def make_stream(frames: FrameSet) -> Stream:
    """Put at most `CLIPS_A_GENRE` clips of each genre one after another."""
    dataset, truth = truth_of(frames)
    rng = np.random.default_rng(SEED)
    rows = [rng.permutation(np.flatnonzero(truth == label))[:CLIPS_A_GENRE] for label in np.unique(truth)]
    chosen = np.concatenate(rows)
    order = chosen[arrange(truth[chosen], rng)]
    clips = [frames.clip(int(row)) for row in order]
    return Stream(np.concatenate(clips), np.cumsum([0, *map(len, clips[:-1])]), truth[order], dataset)


def judge(stream: Stream, model: TfliteModel, *, heard: int, afresh: bool = False) -> Judged:
    """Run the model as live sound does, on the newest ``heard`` frames; ``afresh`` on none of the track before."""
    window = replace(model.manifest.input, live_frames=heard)
    parts = np.split(stream.frames, stream.starts[1:]) if afresh else [stream.frames]
    ends, logits = [], []
    for start, part in zip(stream.starts, parts, strict=False):
        for end, frames in live_windows(part, window):
            ends.append(start + end)
            logits.append(model.run(frames))
    track = np.searchsorted(stream.starts, ends, side="left") - 1
    into = ends - stream.starts[track]
    rate = SPEC.frames_per_second / window.every
    known = restrict(np.stack(logits)[:, : len(LABELS)], stream.dataset)
    return Judged(np.array(ends) / rate, track, into / rate, known)


def show(judged: Judged, manifest: ModelManifest, setting: Setting, *, afresh: bool = False) -> tuple[Integers, F32]:
    """Run the tracker; return the shown label and the posterior [n, labels] at each window."""
    plain = replace(manifest, output=GenreOutput(labels=LABELS).to_dict())
    tracker = GenreTracker(plain, memory=setting.memory(), margin=setting.margin)
    shown, posteriors = [], []
    for at, logits in enumerate(judged.logits):
        if afresh and at and judged.track[at] != judged.track[at - 1]:
            tracker.reset()
        genre = tracker.update(np.append(logits, MUSIC), time_s=float(judged.time_s[at]))
        shown.append(LABELS.index(genre.label or ""))
        shares = {score.label: score.p for score in genre.scores}
        posteriors.append([shares[label] for label in LABELS])
    return np.array(shown), np.array(posteriors, np.float32)


def accuracy_at(judged: Judged, right: Flags, *, first: int) -> dict[str, float]:
    """Return how often the shown label is right so many seconds into a track, from the ``first`` on."""
    found = {}
    for moment_s in MOMENTS_S:
        latest = (judged.into_s <= moment_s + TICK_S) & (judged.into_s > moment_s + TICK_S - 1.0)
        found[f"right_at_{moment_s:g}_s"] = float(right[latest & (judged.track >= first)].mean())
    return found


def follow(judged: Judged, shown: Integers, own: Integers) -> dict[str, float | None]:
    """Return how fast the label turns from what the model thinks of one track to what it thinks of the next."""
    to_new: list[float] = []
    from_old: list[float] = []
    false, settled_windows = 0, 0
    for track in range(1, len(own)):
        here = judged.track == track
        into_s, labels = judged.into_s[here], shown[here]
        settled = labels[into_s >= SETTLED_S]
        false += int((settled[1:] != settled[:-1]).sum())
        settled_windows += len(settled)
        if own[track] != own[track - 1]:
            to_new.append(min(into_s[labels == own[track]], default=np.inf))
            from_old.append(min(into_s[labels != own[track - 1]], default=np.inf))
    return {
        "changes": len(to_new),
        "switch_s_median": _quantile(to_new, 0.5),
        "switch_s_p90": _quantile(to_new, 0.9),
        "old_gone_s_p90": _quantile(from_old, 0.9),
        "old_after_15_s": sum(s > SETTLED_S for s in from_old) / max(1, len(from_old)),
        "false_a_minute": 60.0 * false / settled_windows,
    }


def _quantile(seconds: list[float], share: float) -> float | None:
    """Return a quantile, None where it did not happen within the track, or there is nothing to count."""
    found = float(np.quantile(seconds, share, method="higher")) if seconds else math.inf
    return found if math.isfinite(found) else None


def evaluate(folder: Path, *, data: Path, split: str, through: Path | None = None) -> dict[str, Any]:
    """Score the int8 model in ``folder`` with each of `settings`, keyed by data set and setting."""
    if through is not None:
        msg = "genre-switch is measured on features, which no --through can spoil; leave it out"
        raise ConfigError(msg)
    model = TfliteModel(folder)
    if model.manifest.feature != SPEC:
        msg = f"genre-switch is measured on stored frames, which {folder} does not see; name a model of training.train"
        raise ConfigError(msg)
    report: dict[str, Any] = {}
    for path in genre_files(data):
        frames = read_genre_file(path)
        rows = np.flatnonzero(frames.split == split)
        if len(rows):
            report |= _score(make_stream(frames.take(rows)), model)
    if not report:
        msg = f"no clip of split {split!r} in the genre files of {data}; choose another --split"
        raise ConfigError(msg)
    return report


def _score(stream: Stream, model: TfliteModel) -> dict[str, Any]:
    manifest, window = model.manifest, model.manifest.input
    frame_s = window.every / SPEC.frames_per_second
    tried = {setting: round(setting.heard_s / frame_s) for setting in settings(manifest)}
    judged = {heard: judge(stream, model, heard=heard) for heard in {*tried.values(), window.frames}}
    full = judged[window.frames]
    inside = full.into_s >= min(SETTLED_S, window.frames * frame_s)
    posterior = softmax(full.logits, temperature=manifest.calibration["temperature"])
    tracks = range(len(stream.truth))
    own = np.array([posterior[inside & (full.track == track)].mean(axis=0).argmax() for track in tracks])
    report: dict[str, Any] = {}
    for setting, heard in tried.items():
        found = judged[heard]
        shown, posteriors = show(found, manifest, setting)
        truth = stream.truth[found.track]
        settled = found.into_s >= SETTLED_S
        report[f"{stream.dataset}, newest {setting.heard_s:.0f} s, {setting.name}"] = {
            **follow(found, shown, own),
            **accuracy_at(found, shown == truth, first=1),
            "ece": calibration_error(posteriors[settled], truth[settled]),
        }
    alone = judge(stream, model, heard=window.heard, afresh=True)
    shown, _ = show(alone, manifest, next(iter(tried)), afresh=True)
    report[f"{stream.dataset}, from silence"] = accuracy_at(alone, shown == stream.truth[alone.track], first=0)
    return report
