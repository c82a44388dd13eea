"""Score a genre model: as it is shown (`shown`), on features (`scores`), on what is no music (`evaluate_sound`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.manifest import load_manifest
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.errors import ConfigError
from training.data.genres import LABELS
from training.data.sources import genre_files, read_genre_file
from training.genre import evaluate_sound, shown
from training.genre.hearing import hearing
from training.genre.scores import CLIP_STEP, judge, scores, truth_of

if TYPE_CHECKING:
    from pathlib import Path

    from training.genre.hearing import Hear

AVERAGED = ("gtzan", "fma_small", "free_songs", "genrewave_songs")


def evaluate(folder: Path, *, data: Path, split: str, through: Path | None = None) -> dict[str, Any]:
    """Score the int8 model in ``folder`` on the sounds and the feature files in ``data``.

    ``through`` is a script that spoils each sound first: Python with ``process(samples, rate, rng)``.
    """
    with hearing(folder) as hear:
        report = _as_shown(folder, hear, data=data, split=split, through=through)
        report |= evaluate_sound.judge_sounds(hear, data=data, split=split, through=through)
        if load_manifest(folder).feature == SPEC:  # the feature files hold no other
            report |= _features(folder, data=data, split=split)
            report |= evaluate_sound.judge_features(hear, data=data, split=split)
    if not report:
        msg = f"no clip of split {split!r} in {data}; choose another --split"
        raise ConfigError(msg)
    return report


def _as_shown(folder: Path, hear: Hear, *, data: Path, split: str, through: Path | None) -> dict[str, Any]:
    try:
        found = shown.evaluate(folder, hear, data=data, split=split, through=through)
    except ConfigError:  # data without sounds: there may be features
        return {}
    left_out = [name for name in found if name.endswith(shown.LEFT_OUT)]
    averages = {"average": shown.average(found, AVERAGED)}
    if left_out:
        averages["average, left out"] = shown.average(found, left_out)
    return {"as shown": found | averages} if found else {}


def _features(folder: Path, *, data: Path, split: str) -> dict[str, Any]:
    """Score on the feature files, among the labels that each data set can know."""
    model = TfliteModel(folder)
    stride = -(-model.manifest.input.frames // CLIP_STEP)
    report: dict[str, Any] = {}
    for path in genre_files(data):
        frames = read_genre_file(path)
        if split not in frames.split:
            continue
        judged = judge(frames, model, split=split)
        dataset, truth = truth_of(judged.clips)
        logits = [rows[:, : len(LABELS)] for rows in judged.outputs]
        key = dataset if dataset not in report else path.stem
        report[key] = {
            "file": path.name,
            "split": split,
            **scores(logits, truth, dataset=dataset, stride=stride, temperature=judged.temperature),
        }
    return report
