"""Score a genre model on data files (`training.genre.scores`) and on sounds (`training.genre.evaluate_sound`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.errors import ConfigError
from training.data.genres import LABELS
from training.data.sources import genre_files, read_genre_file
from training.genre import evaluate_sound
from training.genre.scores import CLIP_STEP, judge, scores, truth_of

if TYPE_CHECKING:
    from pathlib import Path


def evaluate(folder: Path, *, data: Path, split: str) -> dict[str, Any]:
    """Score the int8 model in ``folder`` on every genre data file in ``data``, keyed by data set, and on its sounds."""
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
    if not report:
        msg = f"no clip of split {split!r} in the genre files of {data}; choose another --split"
        raise ConfigError(msg)
    return report | evaluate_sound.evaluate(folder, data=data, split=split)
