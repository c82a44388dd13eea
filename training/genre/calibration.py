"""What turns the genre model's logits into honest probabilities and decisions, chosen on the validation splits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.probability import logit, sigmoid, softmax
from training.data.dataset import live_windows
from training.data.genres import LABELS, sub_genre_flags
from training.genre.scores import calibration_error, clip_logits, restrict, truth_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.analysis.genre.output import SubGenre
    from stream_analyzer.analysis.manifest import ModelInput
    from stream_analyzer.types import F32, F64
    from training.data.dataset import FrameSet, Strings
    from training.task import Predict

TEMPERATURES = np.geomspace(0.3, 3.0, 120)
SURE = 0.6  # a sub-genre is shown where at least so many of the clips past its threshold are of it
FEWEST_SHOWN = 8  # a threshold that fewer validation clips pass is not measured, and NEVER_SURE instead
NEVER_SURE = 0.99
HELD_BACK = 0.02  # share of windows of music that may fall below the music threshold
MUSIC_FROM, MUSIC_TO = 0.3, 0.7  # the music threshold stays between: a lower one lets sounds pass for music
EVERY_NTH_CLIP = 4


def label_temperature(sets: Sequence[FrameSet], predict: Predict, *, window: int) -> float:
    """Return the temperature at which the set whose 10-s windows are calibrated worse is calibrated best."""
    judged = []
    for frames in sets:
        dataset, truth = truth_of(frames)
        logits = [row[:, : len(LABELS)] for row in clip_logits(frames, predict, window=window, step=window)]
        judged.append((restrict(np.concatenate(logits), dataset), np.repeat(truth, [len(row) for row in logits])))

    def cost(temperature: float) -> float:
        return max(calibration_error(softmax(logits / np.float32(temperature)), truth) for logits, truth in judged)

    return float(min(TEMPERATURES, key=cost))


def sub_genre_temperature(logits: F32, flags: F32) -> float:
    """Return the temperature of the least binary cross entropy of logits [clips, sub-genres] against 0/1 flags."""

    def cost(temperature: float) -> float:
        scaled = logits.astype(np.float64) / temperature
        return float((np.logaddexp(0.0, scaled) - scaled * flags).mean())

    return float(min(TEMPERATURES, key=cost))


@dataclass(frozen=True, slots=True)
class Tagged:
    """Clips with tags: the likeliest label [clips], mean logits and true 0/1 flags [clips, sub-genres]."""

    label: Strings
    logits: F32
    flags: F32


def tagged_clips(frames: FrameSet, predict: Predict, *, window: int) -> Tagged:
    """Judge each clip of ``frames`` by the mean over its windows."""
    per_clip = np.stack([row.mean(axis=0) for row in clip_logits(frames, predict, window=window, step=window)])
    return Tagged(
        label=np.array(LABELS)[per_clip[:, : len(LABELS)].argmax(axis=1)],
        logits=per_clip[:, len(LABELS) : -1],
        flags=np.stack([sub_genre_flags(tags) for tags in frames.tags]),
    )


def sure_sub_genres(sub_genres: Sequence[SubGenre], clips: Tagged, *, temperature: float) -> tuple[SubGenre, ...]:
    """Set the threshold of each sub-genre to the lowest at which `SURE` of the clips that show it are of it.

    As in the service, only clips whose likeliest label is the sub-genre's own genre can show it.
    """
    probabilities = 1.0 / (1.0 + np.exp(-clips.logits.astype(np.float64) / temperature))
    found = []
    for column, sub in enumerate(sub_genres):
        rows = np.flatnonzero(clips.label == sub.parent)
        found.append(replace(sub, threshold=_threshold(probabilities[rows, column], clips.flags[rows, column] > 0.0)))
    return tuple(found)


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
