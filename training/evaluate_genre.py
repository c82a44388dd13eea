"""Score genre predictions on whole data sets: windows of 10 s, clips, recall, calibration.

Scores are restricted to the labels a data set can know. A clip's posterior is the geometric mean of those of its
windows, 18 frames (1.44 s) apart; the 10-s windows that are scored by themselves do not overlap. What the service makes
of sound that is no music, and of real sound, comes from `training.evaluate_genre_sound`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.errors import ConfigError
from stream_analyzer.genre import softmax
from stream_analyzer.model import TfliteModel
from training.dataset import windows_of
from training.genres import KNOWN, LABELS, known_mask, label_index
from training.sources import genre_files, read_genre_file

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F32
    from training.dataset import FrameSet, Integers
    from training.task import Predict

CLIP_STEP = 18
_CLIPS_AT_ONCE = 32
ECE_BINS = 10


def calibration_error(probabilities: F32, truth: Integers) -> float:
    """Return the expected calibration error of the winning class (Guo et al. 2017, 10 bins of equal width).

    Parameters
    ----------
    probabilities
        float32 [n, classes].
    truth
        int [n].
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence.astype(np.float64), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(truth))


def clip_logits(frames: FrameSet, predict: Predict, *, window: int, step: int = CLIP_STEP) -> list[F32]:
    """Return label logits [windows, labels] of each clip, from windows ``step`` frames apart."""
    found: list[F32] = []
    for first in range(0, len(frames), _CLIPS_AT_ONCE):
        indices = range(first, min(first + _CLIPS_AT_ONCE, len(frames)))
        cuts = [windows_of(frames.clip(index), frames=window, step=step) for index in indices]
        logits = predict(np.concatenate(cuts))[:, : len(LABELS)]
        found += np.split(logits, np.cumsum([len(cut) for cut in cuts])[:-1])
    return found


def restrict(logits: F32, dataset: str) -> F32:
    """Put labels that ``dataset`` can't know out of reach."""
    return np.where(known_mask(dataset) > 0.0, logits, np.float32(-1e9)).astype(np.float32)


def truth_of(frames: FrameSet) -> tuple[str, Integers]:
    """Return the name of the data set and the label index of each of its clips."""
    dataset = str(frames.dataset[0])
    truth = np.array([label_index(label) for label in frames.label], np.int64)
    unknown = sorted(set(frames.label[known_mask(dataset)[truth] * (truth >= 0) == 0.0]))
    if unknown:
        msg = f"{dataset} has genres that are none of its labels: {', '.join(unknown)}"
        raise ConfigError(msg)
    return dataset, truth


def scores(per_clip: list[F32], truth: Integers, *, dataset: str, stride: int, temperature: float) -> dict[str, Any]:
    """Return the metrics of one data set.

    Parameters
    ----------
    per_clip
        Label logits [windows, labels] of each clip.
    truth
        Label index of each clip.
    dataset
        Name in `training.genres.KNOWN`.
    stride
        Every ``stride``-th window is one that does not overlap the one before.
    temperature
        Divides the logits.
    """
    posteriors = [softmax(restrict(logits / np.float32(temperature), dataset)) for logits in per_clip]
    windows = np.concatenate([posterior[::stride] for posterior in posteriors])
    window_truth = np.repeat(truth, [len(posterior[::stride]) for posterior in posteriors])
    means = np.stack([np.log(np.maximum(posterior, 1e-9)).mean(axis=0) for posterior in posteriors])
    clips = softmax(means)
    guess = clips.argmax(axis=1)
    recall = {
        label: float((guess[truth == index] == index).mean())
        for index, label in enumerate(LABELS)
        if label in KNOWN[dataset] and (truth == index).any()
    }
    return {
        "n": len(truth),
        "clip_accuracy": float((guess == truth).mean()),
        "windows": len(windows),
        "window_accuracy": float((windows.argmax(axis=1) == window_truth).mean()),
        "ece": calibration_error(windows, window_truth),
        "clip_ece": calibration_error(clips, truth),
        "recall": recall,
    }


def evaluate(folder: Path, *, data: Path, split: str) -> dict[str, Any]:
    """Score the int8 model in ``folder`` on every genre data file in ``data``, keyed by data set."""
    model = TfliteModel(folder)

    def predict(windows: F32) -> F32:
        return np.stack([model.run(window) for window in windows])

    report: dict[str, Any] = {}
    for path in genre_files(data):
        frames = read_genre_file(path)
        rows = np.flatnonzero(frames.split == split)
        if not len(rows):
            continue
        part = frames.take(rows)
        dataset, truth = truth_of(part)
        found = clip_logits(part, predict, window=model.manifest.input.frames)
        stride = -(-model.manifest.input.frames // CLIP_STEP)
        key = dataset if dataset not in report else path.stem
        report[key] = {
            "file": path.name,
            "split": split,
            **scores(found, truth, dataset=dataset, stride=stride, temperature=model.manifest.calibration.temperature),
        }
    if not report:
        msg = f"no clip of split {split!r} in the genre files of {data}; choose another --split"
        raise ConfigError(msg)
    from training import evaluate_genre_sound  # noqa: PLC0415 - it scores with this file

    return report | evaluate_genre_sound.evaluate(folder, data=data, split=split)
