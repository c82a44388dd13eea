"""What turns the genre model's logits into honest probabilities and decisions, chosen on the validation splits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.genre import logit, sigmoid
from training.dataset import live_windows
from training.evaluate_genre import clip_logits, restrict, truth_of
from training.genres import LABELS, sub_genre_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.manifest import ModelInput, SubGenre
    from stream_analyzer.types import F32, F64
    from training.dataset import FrameSet
    from training.task import Predict

TEMPERATURES = np.geomspace(0.3, 3.0, 120)
SURE = 2.0 / 3.0  # a sub-genre is shown where at least so many of the clips past its threshold are of it
FEWEST_SHOWN = 4  # a threshold that fewer validation clips pass is not measured, and NEVER_SURE instead
NEVER_SURE = 0.99
HELD_BACK = 0.01  # share of windows of music that may fall below the music threshold
MUSIC_FROM, MUSIC_TO = 0.3, 0.7  # the music threshold stays between: a lower one lets sounds pass for music
EVERY_NTH_CLIP = 4


def label_temperature(sets: Sequence[FrameSet], predict: Predict, *, window: int) -> float:
    """Return the temperature of the least negative log-likelihood of 10-s windows, summed over the sets."""
    judged = []
    for frames in sets:
        dataset, truth = truth_of(frames)
        logits = [row[:, : len(LABELS)] for row in clip_logits(frames, predict, window=window, step=window)]
        judged.append((restrict(np.concatenate(logits), dataset), np.repeat(truth, [len(row) for row in logits])))

    def cost(temperature: float) -> float:
        return sum(_surprise(logits / np.float32(temperature), truth) for logits, truth in judged)

    return float(min(TEMPERATURES, key=cost))


def sub_genre_temperature(logits: F32, flags: F32) -> float:
    """Return the temperature of the least binary cross entropy of logits [clips, sub-genres] against 0/1 flags."""

    def cost(temperature: float) -> float:
        scaled = logits.astype(np.float64) / temperature
        return float((np.logaddexp(0.0, scaled) - scaled * flags).mean())

    return float(min(TEMPERATURES, key=cost))


def sub_genre_logits(frames: FrameSet, predict: Predict, *, window: int) -> tuple[F32, F32]:
    """Return the mean logits [clips, sub-genres] of each clip, and flags of what its tags say."""
    per_clip = clip_logits(frames, predict, window=window, step=window)
    logits = np.stack([row[:, len(LABELS) : -1].mean(axis=0) for row in per_clip])
    return logits, np.stack([sub_genre_flags(tags) for tags in frames.tags])


def sure_sub_genres(
    sub_genres: Sequence[SubGenre], logits: F32, flags: F32, *, temperature: float
) -> tuple[SubGenre, ...]:
    """Set the threshold of each sub-genre to the lowest at which `SURE` of the clips that pass it are of it."""
    probabilities = 1.0 / (1.0 + np.exp(-logits.astype(np.float64) / temperature))
    return tuple(
        replace(sub, threshold=_threshold(probabilities[:, column], flags[:, column] > 0.0))
        for column, sub in enumerate(sub_genres)
    )


def _threshold(probability: F64, right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    order = np.argsort(-probability)
    shown = np.arange(1, len(order) + 1)
    precision = np.cumsum(right[order]) / shown
    good = np.flatnonzero((precision >= SURE) & (shown >= FEWEST_SHOWN))
    return round(min(NEVER_SURE, float(probability[order[good[-1]]])), 4) if len(good) else NEVER_SURE


def music_threshold(sets: Sequence[FrameSet], predict: Predict, *, window: ModelInput) -> float:
    """Return the probability of music that all but `HELD_BACK` of the live windows of musical clips reach, in bounds.

    Every `EVERY_NTH_CLIP`-th clip is enough.
    """
    per_set = [logit(MUSIC_TO)]
    for frames in filter(len, sets):
        clips = [frames.clip(index) for index in range(0, len(frames), EVERY_NTH_CLIP)]
        windows = [cut for clip in clips for _, cut in live_windows(clip, window)]
        per_set.append(float(np.quantile(predict(np.stack(windows))[:, -1], HELD_BACK)))
    return round(max(MUSIC_FROM, sigmoid(min(per_set))), 4)


def _surprise(logits: F32, truth: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]).mean())
