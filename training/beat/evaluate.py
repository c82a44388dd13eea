"""Score beats as a subscriber gets them: sound through the whole analyzer, in stream order, without look-ahead.

GTZAN clips with sound, against the beats that people tapped, by `mir_eval`: the F-measure within 70 ms, continuity
(CMLt, AMLt), the F-measure of downbeats. The first 5 s are skipped, as is usual; scores of the whole clip stand beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import mir_eval
import numpy as np

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.errors import ConfigError
from stream_analyzer.library.engine import crew, results
from stream_analyzer.types import AudioBlock, Beat
from training.beat.recordings import tapped
from training.data.listening import Sound, read_sound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_analyzer.types import F64

LEAST_BEATS = 8  # a clip with fewer taps is no beat to follow


@dataclass(frozen=True, slots=True)
class Truth:
    """When beats fall, in seconds, and each one's place in the bar (1 is the downbeat, 0 unknown)."""

    time_s: F64
    place: F64

    @property
    def downbeats_s(self) -> F64:
        """When the bars begin."""
        return np.asarray(self.time_s[self.place == 1])


def score(truth: Truth, beats: Sequence[Beat]) -> dict[str, float]:
    """Return the scores of one clip; NaN where the truth doesn't say."""
    found_s = np.array([beat.beat_s for beat in beats])
    downbeats_s = np.array([beat.beat_s for beat in beats if beat.number == 1])
    next_s = np.sort([beat.next_s for beat in beats])
    metres = [beat.beats_in_bar or 0 for beat in beats]
    return {
        **score_times(truth, found_s, downbeats_s),
        "metre": float(metres[-1:] == [int(truth.place.max())]) if truth.place.max() > 0 else np.nan,
        "foretold": _f_measure(truth.time_s, next_s, skip=True),
        "foretold_ms": foretold_ms(truth.time_s, next_s),
        "first_s": float(found_s[0]) if len(found_s) else np.nan,
    }


def score_times(truth: Truth, found_s: F64, downbeats_s: F64) -> dict[str, float]:
    """Return the scores of one clip that need no more than when beats and downbeats were found."""
    cmlt, amlt = _continuity(truth.time_s, found_s)
    return {
        "beat": _f_measure(truth.time_s, found_s, skip=True),
        "cmlt": cmlt,
        "amlt": amlt,
        "downbeat": _f_measure(truth.downbeats_s, downbeats_s, skip=True),
        "beat_whole": _f_measure(truth.time_s, found_s, skip=False),
        "downbeat_whole": _f_measure(truth.downbeats_s, downbeats_s, skip=False),
    }


def foretold_ms(truth_s: F64, next_s: F64) -> float:
    """Return the median distance, in ms, of a foretold beat to the nearest true one."""
    told_s = next_s[(next_s >= truth_s[0]) & (next_s <= truth_s[-1])]
    return 1e3 * float(np.median(np.abs(told_s[:, None] - truth_s).min(axis=1))) if len(told_s) else np.nan


def _f_measure(truth_s: F64, found_s: F64, *, skip: bool) -> float:
    if skip:
        truth_s, found_s = mir_eval.beat.trim_beats(truth_s), mir_eval.beat.trim_beats(found_s)
    if not len(truth_s):
        return np.nan
    return float(mir_eval.beat.f_measure(truth_s, found_s)) if len(found_s) else 0.0


def _continuity(truth_s: F64, found_s: F64) -> tuple[float, float]:
    """Return CMLt and AMLt: the share of beats that go on right, at the right tempo or at double, half or between."""
    truth_s, found_s = mir_eval.beat.trim_beats(truth_s), mir_eval.beat.trim_beats(found_s)
    if min(len(truth_s), len(found_s)) < 2:
        return 0.0, 0.0
    _, cmlt, _, amlt = mir_eval.beat.continuity(truth_s, found_s)
    return float(cmlt), float(amlt)


def follow(models: Path, sound: Sound) -> list[Beat]:
    """Return the beats that the whole analyzer, all heads of ``models``, tells of a sound."""
    samples, rate_hz = read_sound(sound)
    analyzer = Analyzer(load_heads(models))
    events = analyzer.feed(AudioBlock(samples, rate_hz)) + analyzer.end()
    return [event for event in events if isinstance(event, Beat)]


def evaluate(folder: Path, *, data: Path, split: str, through: Path | None = None) -> dict[str, Any]:
    """Score the beat model in ``folder``, beside the tempo and genre models there, on the tapped clips of a split."""
    TfliteModel(folder)  # a model that can't be used is told here, in one line, not by a worker
    tasks = [(Sound(path, through=through), truth) for path, truth in clips(data, split)]
    with crew() as client:
        found = results(client, partial(_judge, folder.parent), tasks)
    return {"gtzan_audio": {"split": split, "n": len(found), **mean(found)}}


def clips(data: Path, split: str) -> list[tuple[Path, Truth]]:
    """Return the clips of a split that have enough taps to be followed."""
    found = [(path, Truth(time_s, place)) for path, time_s, place in tapped(data, split) if len(time_s) >= LEAST_BEATS]
    if not found:
        msg = f"no clips of split {split!r} with tapped beats in {data}"
        raise ConfigError(msg)
    return found


def _judge(models: Path, task: tuple[Sound, Truth]) -> dict[str, float]:
    sound, truth = task
    return score(truth, follow(models, sound))


def mean(found: list[dict[str, float]]) -> dict[str, Any]:
    """Return means over clips; of times the median, and beside each mean of a score its 95 % interval (bootstrap)."""
    rng = np.random.default_rng(0)
    report: dict[str, Any] = {}
    for name in found[0]:
        values = np.array([one[name] for one in found])
        values = values[np.isfinite(values)]
        timed = name.endswith(("_s", "_ms"))
        report[name] = float(np.median(values) if timed else values.mean()) if len(values) else float("nan")
        if name in ("beat", "downbeat") and len(values):
            means = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
            report[f"{name}_95"] = [float(end) for end in np.percentile(means, (2.5, 97.5))]
    return report
