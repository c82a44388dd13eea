"""Training windows for beats: cut from clips at any playback speed, spoilt as a room would, with targets a frame.

Windows are float32 [batch, frames, 128] of levels as the model sees them; targets [batch, frames, 2] say how likely a
beat and a downbeat are, weights [batch, frames, 2] where they count. The frame that begins at a beat is the beat's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.beat.picture import relative, running_loudest
from stream_analyzer.analysis.features import SPEC
from training.data.dataset import from_bytes
from training.tempo.data import spoil

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F32
    from training.beat.clips import Clip

DOWNBEAT = 2.0  # weight of what people or a score say of downbeats, which are few
SHIFT = 3  # mel bands that music is moved up or down at most
BESIDE = 0.5  # target of the frames next to a beat's


@dataclass(frozen=True, slots=True)
class Cut:
    """A window of natural-log mel power [frames, 128], its targets and their weights [frames, 2]."""

    frames: F32
    target: F32
    weight: F32


def cut(clip: Clip, rng: np.random.Generator, *, frames: int, spread: float) -> Cut:
    """Return a random window that plays at a random speed, up to ``spread`` (a natural logarithm) faster or slower.

    What a short clip doesn't fill is silence at the end, which counts for nothing.
    """
    speed = float(np.exp(rng.uniform(-spread, spread))) if rng.random() < 0.75 else 1.0
    needed = speed * (frames - 1) + 1.0
    first = float(np.floor(rng.uniform(0.0, max(len(clip.level) - needed, 0.0) + 1e-9)))
    if rng.random() < 0.15:
        first = 0.0  # the beginning of a song is met more often live
    count = min(frames, int((len(clip.level) - 1 - first) / speed) + 1)
    position = first + speed * np.arange(count)
    window = np.full((frames, SPEC.n_mels), SPEC.log_floor, np.float32)
    window[:count] = _between(from_bytes(clip.level[int(first) : int(first + speed * count) + 2]), position - first)
    target, weight = np.zeros((frames, 2), np.float32), np.zeros((frames, 2), np.float32)
    weight[:count] = 1.0
    if clip.heard is not None:
        target[:count] = _between(clip.heard[int(first) : int(first + speed * count) + 2], position - first)
    else:
        beat = (clip.time_s * SPEC.frames_per_second - first) / speed
        target[:, 0] = peaks(beat, frames)
        target[:, 1] = peaks(beat[clip.place == 1], frames)
        weight[:, 1] *= DOWNBEAT * float((clip.place > 0).all())
    return Cut(window, target, weight)


def batch(cuts: Sequence[Cut], rng: np.random.Generator, *, spoilt: float) -> tuple[F32, F32, F32]:
    """Return levels, targets and weights of some windows; a share is ``spoilt`` as by a room or a microphone."""
    windows = np.stack([transpose(one.frames, int(rng.integers(-SHIFT, SHIFT + 1))) for one in cuts])
    rows = np.flatnonzero(rng.random(len(windows)) < spoilt)
    if len(rows):
        windows[rows] = spoil(windows[rows], rng, frames_per_second=SPEC.frames_per_second)
    levels = relative(windows, running_loudest(windows))
    return levels, np.stack([one.target for one in cuts]), np.stack([one.weight for one in cuts])


def levels_of(clip: Clip) -> F32:
    """Return what the network sees of a whole clip, float32 [frames, 128]."""
    frames = from_bytes(clip.level)
    return relative(frames, running_loudest(frames[None])[0])


def transpose(frames: F32, bands: int) -> F32:
    """Return frames [n, 128] moved up by so many mel bands, as in another key; the edge is repeated."""
    moved = np.roll(frames, bands, axis=1)
    if bands > 0:
        moved[:, :bands] = frames[:, :1]
    elif bands:
        moved[:, bands:] = frames[:, -1:]
    return moved


def _between(values: F32, position: np.ndarray[Any, Any]) -> F32:
    """Return ``values`` [n, ...] at fractional positions."""
    below = np.minimum(position.astype(np.int64), len(values) - 1)
    share = (position - below).astype(np.float32)[:, None]
    if not share.any():
        return np.asarray(values[below])
    above = np.minimum(below + 1, len(values) - 1)
    mixed: F32 = values[below] + share * (values[above] - values[below])
    return mixed


def peaks(beat: np.ndarray[Any, Any], frames: int) -> F32:
    """Return 1 at the frames where beats fall and `BESIDE` next to them, float32 [frames]."""
    raised = np.zeros(frames + 2, np.float32)
    index = np.rint(beat).astype(np.int64)
    index = index[(index >= 0) & (index < frames)]
    for beside in (index, index + 2):
        raised[beside] = np.maximum(raised[beside], np.float32(BESIDE))
    raised[index + 1] = 1.0
    return np.asarray(raised[1:-1], np.float32)
