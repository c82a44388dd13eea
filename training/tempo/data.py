"""Training windows for tempo: cut from prepared sets at any playback speed, spliced, and spoilt as a room would.

Windows are float32 [batch, frames, 128] of natural-log mel power at 12.5 frames a second; tempi are BPM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import SPEC, mel_frequencies
from training.data.dataset import from_bytes
from training.tempo.grid import FRAMES, FRAMES_PER_SECOND

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64, U8

BANDS_HZ = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)[1:-1]
MIN_SPLICE_FRAMES = 40  # after a change of track the new one is heard this long before it must be recognised


@dataclass(frozen=True, slots=True)
class Clips:
    """Clips of known tempo: levels uint8 [frames of all clips, 128], where each starts, its length and its BPM.

    ``spread`` is the largest change of playback speed, as a natural logarithm, at which its tempo is still plausible.
    """

    level: U8
    start: np.ndarray[Any, np.dtype[np.int64]]
    length: np.ndarray[Any, np.dtype[np.int64]]
    bpm: np.ndarray[Any, np.dtype[np.float64]]
    frames_per_second: float
    spread: float

    def cut(self, rng: np.random.Generator, count: int, *, frames: int = FRAMES) -> tuple[F32, F64]:
        """Return ``count`` random windows [count, frames, 128] and their tempi [count].

        Each plays at a random speed within ``spread``; frames between stored ones are picked or interpolated.
        """
        speed = np.exp(rng.uniform(-self.spread, self.spread, count))
        speed[rng.random(count) < 0.3] = 1.0
        step = speed * (self.frames_per_second / FRAMES_PER_SECOND)
        needed = step * (frames - 1) + 1.0
        clip = rng.integers(0, len(self.start), count)
        for _ in range(4):
            short = self.length[clip] < needed
            clip[short] = rng.integers(0, len(self.start), int(short.sum()))
        first = rng.uniform(0.0, 1.0, count) * np.maximum(self.length[clip] - needed, 0.0)
        native = np.abs(step - np.rint(step)) < 0.05  # whole steps need no interpolation, only a slight change of tempo
        first = np.where(native, np.floor(first), first)
        step = np.where(native, np.rint(step), step)
        position = first[:, None] + step[:, None] * np.arange(frames)
        position = np.minimum(position, self.length[clip, None] - 1.0)
        picked = rng.random(count) < 0.4
        position[picked] = np.rint(position[picked])
        below = np.floor(position).astype(np.int64)
        share = (position - below).astype(np.float32)[..., None]
        above = np.minimum(below + 1, self.length[clip, None] - 1)
        start = self.start[clip, None]
        windows = from_bytes(self.level[start + below])
        blend = np.flatnonzero(share.any(axis=(1, 2)))
        if len(blend):
            other = from_bytes(self.level[(start + above)[blend]])
            windows[blend] += share[blend] * (other - windows[blend])
        return windows, self.bpm[clip] * step * FRAMES_PER_SECOND / self.frames_per_second


def spoil(windows: F32, rng: np.random.Generator, *, frames_per_second: float = FRAMES_PER_SECOND) -> F32:
    """Give each window its own gain, equalizer, room, noise, bass cut and dynamic range, all in mel power."""
    count = len(windows)
    windows = windows + rng.uniform(-4.0, 3.0, (count, 1, 1)).astype(np.float32)
    windows += _equalizer(rng, count)
    _reverberate(windows, rng, frames_per_second=frames_per_second)
    _add_noise(windows, rng)
    cut = np.flatnonzero(rng.random(count) < 0.25)
    corner_hz = rng.uniform(60.0, 300.0, (len(cut), 1))
    windows[cut] -= (2.0 * np.log1p((corner_hz / BANDS_HZ) ** 2)).astype(np.float32)[:, None, :]
    for row in np.flatnonzero(rng.random(count) < 0.15):
        width = int(rng.integers(8, 48))
        first = int(rng.integers(0, SPEC.n_mels - width))
        windows[row, :, first : first + width] -= np.float32(rng.uniform(3.0, 20.0))
    depth = rng.uniform(4.5, 18.0, (count, 1, 1)).astype(np.float32)
    floor = np.maximum(windows.max(axis=(1, 2), keepdims=True) - depth, np.float32(SPEC.log_floor))
    return np.asarray(np.maximum(windows, floor), np.float32)


def _equalizer(rng: np.random.Generator, count: int) -> F32:
    """Return smooth random gains [count, 1, 128] in nepers."""
    nodes = rng.normal(0.0, 1.0, (count, 7)) * rng.uniform(0.0, 1.4, (count, 1))
    place = np.linspace(0.0, 6.0, SPEC.n_mels)
    below = np.minimum(place.astype(np.int64), 5)
    share = place - below
    gains = nodes[:, below] * (1.0 - share) + nodes[:, below + 1] * share
    return np.asarray(gains, np.float32)[:, None, :]


def _reverberate(windows: F32, rng: np.random.Generator, *, frames_per_second: float) -> None:
    """Smear power over time, as the diffuse tail of a room does, for some of the windows."""
    rows = np.flatnonzero(rng.random(len(windows)) < 0.3)
    if not len(rows):
        return
    rt60_s = rng.uniform(0.2, 1.3, (len(rows), 1))
    keep = np.exp(-6.0 * np.log(10.0) / (rt60_s * frames_per_second)).astype(np.float32)
    wet = rng.uniform(0.1, 1.5, (len(rows), 1)).astype(np.float32) * (1.0 - keep)
    power = np.exp(windows[rows])
    tail = np.zeros_like(power[:, 0])
    for frame in range(power.shape[1]):
        direct = power[:, frame].copy()
        power[:, frame] += wet * tail / (1.0 - keep)
        tail = keep * (tail + direct * (1.0 - keep))
    windows[rows] = np.log(np.maximum(power, np.float32(SPEC.power_floor)))


def _add_noise(windows: F32, rng: np.random.Generator) -> None:
    """Add coloured noise, steady or swelling, at -3 to 25 dB below the music, to some of the windows."""
    rows = np.flatnonzero(rng.random(len(windows)) < 0.4)
    if not len(rows):
        return
    power = np.exp(windows[rows])
    level = np.log(power.mean(axis=(1, 2))) - rng.uniform(-3.0, 25.0, len(rows)) * np.log(10.0) / 10.0
    shape = _equalizer(rng, len(rows)) - np.linspace(0.0, 1.0, SPEC.n_mels, dtype=np.float32) * rng.uniform(
        0.0, 5.0, (len(rows), 1, 1)
    ).astype(np.float32)
    shape -= np.log(np.exp(shape).mean(axis=2, keepdims=True))
    grain = rng.standard_gamma(2.5, power.shape, dtype=np.float32) * np.float32(1.0 / 2.5)
    power += grain * np.exp(shape + level[:, None, None].astype(np.float32))
    windows[rows] = np.log(np.maximum(power, np.float32(SPEC.power_floor)))


def splice(windows: F32, others: F32, rng: np.random.Generator) -> None:
    """Put other music before the newest part of some windows, in place: a change of track. The newest tempo counts."""
    for row in range(len(others)):
        keep = int(rng.integers(MIN_SPLICE_FRAMES, FRAMES - 10))
        windows[row, : FRAMES - keep] = others[row, : FRAMES - keep]


def unfill(windows: F32, rng: np.random.Generator, *, share: float, min_frames: int) -> None:
    """Empty the older part of a ``share`` of the windows, in place, as at the start of a stream."""
    for row in np.flatnonzero(rng.random(len(windows)) < share):
        keep = int(rng.integers(min_frames, FRAMES))
        windows[row, : FRAMES - keep] = SPEC.log_floor
