"""Score genre predictions on whole data sets: windows of 10 s, clips, recall, calibration.

Scores are restricted to the labels a data set can know. A clip's posterior is the geometric mean of those of its
windows, 18 frames (1.44 s) apart; the 10-s windows that are scored by themselves do not overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.probability import softmax
from stream_analyzer.errors import ConfigError
from training.data.dataset import windows_of
from training.data.genres import KNOWN, LABELS, known_mask, label_index
from training.task import served

if TYPE_CHECKING:
    from stream_analyzer.analysis.model import TfliteModel
    from stream_analyzer.types import F32, F64
    from training.data.dataset import FrameSet, Integers
    from training.task import Predict

CLIP_STEP = 18
_CLIPS_AT_ONCE = 32
ECE_BINS = 10


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often the winning class is right at each confidence: ten bins of equal width, float64 [10] each.

    ``right`` and ``confidence`` are means of a bin, 0 where ``count`` is.
    """

    count: F64
    right: F64
    confidence: F64


def reliability(probabilities: F32, truth: Integers) -> Reliability:
    """Compare the confidence in the winning class with how often it is right.

    Parameters
    ----------
    probabilities
        float32 [n, classes].
    truth
        int [n].
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    weights = (np.ones(len(truth)), right, confidence)
    count, hits, sums = (np.bincount(bins, weight, ECE_BINS).astype(np.float64) for weight in weights)
    return Reliability(count, hits / np.maximum(count, 1.0), sums / np.maximum(count, 1.0))


def calibration_error(probabilities: F32, truth: Integers) -> float:
    """Return the expected calibration error of the winning class (Guo et al. 2017); arguments as of `reliability`."""
    found = reliability(probabilities, truth)
    return float(found.count @ np.abs(found.right - found.confidence) / len(truth))


def clip_logits(frames: FrameSet, predict: Predict, *, window: int, step: int = CLIP_STEP) -> list[F32]:
    """Return all logits [windows, size] of each clip, from windows ``step`` frames apart."""
    found: list[F32] = []
    for first in range(0, len(frames), _CLIPS_AT_ONCE):
        indices = range(first, min(first + _CLIPS_AT_ONCE, len(frames)))
        cuts = [windows_of(frames.clip(index), frames=window, step=step) for index in indices]
        logits = predict(np.concatenate(cuts))
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


def clip_posterior(posteriors: list[F32]) -> F32:
    """Return the posterior [clips, labels] of each clip: the geometric mean of its windows' [windows, labels]."""
    return softmax(np.stack([np.log(np.maximum(posterior, 1e-9)).mean(axis=0) for posterior in posteriors]))


@dataclass(frozen=True, slots=True)
class JudgedClips:
    """A data set's clips of one split, and all that a model says of them: logits [windows, outputs] of each clip."""

    clips: FrameSet
    outputs: list[F32]
    temperature: float

    @property
    def dataset(self) -> str:
        """Name in `training.data.genres.KNOWN`."""
        return str(self.clips.dataset[0])

    def posteriors(self) -> list[F32]:
        """Return the probabilities [windows, labels] of each clip among the labels that its set can know."""
        logits = [rows[:, : len(LABELS)] / np.float32(self.temperature) for rows in self.outputs]
        return [softmax(restrict(rows, self.dataset)) for rows in logits]


def judge(frames: FrameSet, model: TfliteModel, *, split: str) -> JudgedClips:
    """Run ``model`` over the clips of one split.

    Raises
    ------
    ConfigError
        There are none.
    """
    rows = np.flatnonzero(frames.split == split)
    if not len(rows):
        msg = f"{frames.dataset[0]} has no clip of split {split!r}; choose another --split"
        raise ConfigError(msg)
    clips = frames.take(rows)
    outputs = clip_logits(clips, served(model), window=model.manifest.input.frames)
    return JudgedClips(clips, outputs, model.manifest.calibration["temperature"])


def scores(per_clip: list[F32], truth: Integers, *, dataset: str, stride: int, temperature: float) -> dict[str, Any]:
    """Return the metrics of one data set.

    Parameters
    ----------
    per_clip
        Label logits [windows, labels] of each clip.
    truth
        Label index of each clip.
    dataset
        Name in `training.data.genres.KNOWN`.
    stride
        Every ``stride``-th window is one that does not overlap the one before.
    temperature
        Divides the logits.
    """
    posteriors = [softmax(restrict(logits / np.float32(temperature), dataset)) for logits in per_clip]
    windows = np.concatenate([posterior[::stride] for posterior in posteriors])
    window_truth = np.repeat(truth, [len(posterior[::stride]) for posterior in posteriors])
    clips = clip_posterior(posteriors)
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
