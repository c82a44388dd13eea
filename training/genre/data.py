"""Training windows of the genre task: drawn from GTZAN, FMA-small, real clips and not-music, changed and mixed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from training.data.dataset import FrameSet, from_bytes, last_frames, load_frame_set, to_bytes
from training.data.genres import LABELS, SUB_GENRES, label_index, sub_genre_flags, tagged_index, taught_mask
from training.genre import augment
from training.task import Batch

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.analysis.manifest import ModelInput
    from stream_analyzer.types import F32, U8
    from training.genre.augment import Augmentation

Flags = npt.NDArray[np.bool_]

# FMA tracks of these kinds teach a genre but not that they are music.
DOUBTFUL_MUSIC = {
    "Noise", "Field Recordings", "Sound Effects", "Sound Art", "Sound Collage", "Audio Collage", "Drone",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mix:
    """How a batch is drawn: shares of each kind of clip, and how often and how strongly two are mixed.

    ``detail`` is the share of slow clips (FMA-small) that get fast movement from clips of another set.
    """

    gtzan: float = 0.22
    real: float = 0.03
    not_music: float = 0.08
    background: float = 0.05
    detail: float = 0.6
    mixup: float = 0.25
    mixup_alpha: float = 0.4
    smoothing: float = 0.1


class Clips:
    """Clips of a set at the model's frame rate: label, labels the clip could have, and whether it is music."""

    def __init__(self, frames: FrameSet, *, every: int) -> None:
        """Take all clips of ``frames``; sets at the full frame rate give every ``every``-th frame."""
        self._frames = frames
        self._step = round(frames.frames_per_second * every / SPEC.frames_per_second)
        self.label = np.array([label_index(label) for label in frames.label])
        self.tagged = np.array([tagged_index(tags) for tags in frames.tags])
        self.mask = np.array([taught_mask(dataset) for dataset in frames.dataset], np.float32)
        self.sub_genres = np.stack([sub_genre_flags(tags) for tags in frames.tags])
        self.tags_known = np.array([dataset == "fma-small" for dataset in frames.dataset], np.float32)
        self.music = ~not_music(frames)
        self.music_known = ~perhaps_music(frames)

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self._frames)

    def levels(self, index: int, *, phase: int) -> U8:
        """Return the bytes [frames, 128] of one clip; of faster sets every n-th frame from ``phase`` on."""
        return self._frames.levels(index)[phase % self._step :: self._step]

    def target(self, index: int, *, smoothing: float) -> F32:
        """Return the distribution [labels] of one clip: its label, shared with the one its tags name, smoothed."""
        mask = self.mask[index]
        target = mask * np.float32(smoothing / mask.sum())
        right = [self.label[index]] if self.tagged[index] < 0 else [self.label[index], self.tagged[index]]
        target[right] += np.float32((1.0 - smoothing) / len(right))
        return np.asarray(target, np.float32)


def not_music(frames: FrameSet) -> Flags:
    """Tell which clips are environmental sound, speech or silence."""
    return np.char.startswith(frames.label, "negative") | np.char.startswith(frames.label, "speech")


def perhaps_music(frames: FrameSet) -> Flags:
    """Tell which clips bear a tag of `DOUBTFUL_MUSIC`."""
    return np.array([bool(DOUBTFUL_MUSIC.intersection(text.split("|"))) for text in frames.tags], bool)


def held_out(frames: FrameSet) -> Flags:
    """Tell which clips are kept for validation: a quarter, by their name."""
    return np.array([zlib.crc32(name.encode()) % 4 == 0 for name in frames.name])


def noise_log_mel(seconds: float) -> F32:
    """Return the log-mel of white noise through the service's own features."""
    samples = np.random.default_rng(0).normal(0.0, 0.1, int(seconds * SPEC.sample_rate_hz))
    return StreamingLogMel().push(samples.astype(np.float32))


class GenreWindows:
    """The sets a genre model learns from, and random training batches of them."""

    def __init__(self, prepared: Path, *, window: ModelInput, mix: Mix, strength: Augmentation) -> None:
        """Load the prepared sets; train splits and not-music clips that are not held out train."""
        self._frames, self._min_frames, self._mix, self._strength = window.frames, window.min_frames, mix, strength
        gtzan, fma, audio = (load_frame_set(prepared / f"{name}.npz") for name in ("gtzan", "fma-small", "audio"))
        negative, kept = not_music(audio), held_out(audio)
        real = (audio.dataset == "gtzan") & (audio.split == "train")
        self._gtzan, self._fma, self._real, self._other = (
            Clips(frames.take(np.flatnonzero(rows)), every=window.every)
            for frames, rows in (
                (gtzan, gtzan.split == "train"),
                (fma, fma.split == "train"),
                (audio, real),
                (audio, negative & ~kept),
            )
        )
        self._noise = to_bytes(noise_log_mel(120.0))[:: window.every]
        self.valid = [frames.take(np.flatnonzero(frames.split == "valid")) for frames in (gtzan, fma)]
        self.valid_surely_music = [frames.take(np.flatnonzero(~perhaps_music(frames))) for frames in self.valid]
        heard = (audio.dataset == "librosa_data") & ~negative | (audio.dataset == "gtzan") & (audio.split == "valid")
        self.valid_music = Clips(audio.take(np.flatnonzero(negative & kept | heard)), every=window.every)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw a batch.

        Targets: ``label`` and ``mask`` [size, 2, labels] of each window and of what was mixed in; ``sub_genres`` [size,
        sub-genres] and ``music`` [size] with the weight [size] of each.
        """
        windows = np.empty((size, self._frames, SPEC.n_mels), np.float32)
        label = np.zeros((size, 2, len(LABELS)), np.float32)
        mask = np.ones((size, 2, len(LABELS)), np.float32)
        sub_genres, sub_weight = np.zeros((size, len(SUB_GENRES)), np.float32), np.zeros(size, np.float32)
        music, music_weight = np.zeros(size, np.float32), np.ones(size, np.float32)
        for row in range(size):
            if rng.random() < self._mix.not_music:
                windows[row] = self._not_music_window(rng)
                continue
            clips, index, window = self._music_window(rng)
            music[row], music_weight[row] = 1.0, float(clips.music_known[index])
            sub_genres[row], sub_weight[row] = clips.sub_genres[index], clips.tags_known[index]
            share = 1.0
            if rng.random() < self._mix.mixup:
                share = float(rng.beta(self._mix.mixup_alpha, self._mix.mixup_alpha))
                others, other, second = self._music_window(rng)
                window = share * window + (1.0 - share) * (second + (window.max() - second.max()))
                label[row, 1] = others.target(other, smoothing=self._mix.smoothing) * np.float32(1.0 - share)
                mask[row, 1] = others.mask[other]
                sub_genres[row] = share * sub_genres[row] + (1.0 - share) * others.sub_genres[other]
                sub_weight[row] *= others.tags_known[other]
            label[row, 0] = clips.target(index, smoothing=self._mix.smoothing) * np.float32(share)
            mask[row, 0] = clips.mask[index]
            windows[row] = self._finish(window, rng)
        targets = {"label": label, "mask": mask, "sub_genres": sub_genres, "sub_weight": sub_weight}
        return Batch(windows, {**targets, "music": music, "music_weight": music_weight})

    def _finish(self, window: F32, rng: np.random.Generator) -> F32:
        window = augment.mask(window, strength=self._strength, rng=rng)
        window = np.maximum(window, np.float32(SPEC.log_floor))
        return augment.fill_partly(window, min_frames=self._min_frames, strength=self._strength, rng=rng)

    def _music_window(self, rng: np.random.Generator) -> tuple[Clips, int, F32]:
        kind = rng.random()
        clips = self._fma
        if kind < self._mix.gtzan:
            clips = self._real if kind < self._mix.real and len(self._real) else self._gtzan
        index = int(rng.integers(len(clips)))
        window = self._cut(clips, index, rng)
        if clips is self._fma and rng.random() < self._mix.detail:
            window = augment.add_detail(window, self._cut(self._gtzan, int(rng.integers(len(self._gtzan))), rng))
        window = augment.colour(window, strength=self._strength, rng=rng)
        if rng.random() < self._mix.background:
            window = augment.add_power(window, self._not_music_window(rng), below=float(rng.uniform(2.0, 7.0)))
        return clips, index, window

    def _cut(self, clips: Clips, index: int, rng: np.random.Generator) -> F32:
        stored = clips.levels(index, phase=int(rng.integers(64)))
        return from_bytes(augment.cut(stored, frames=self._frames, strength=self._strength, rng=rng))

    def _not_music_window(self, rng: np.random.Generator) -> F32:
        """Join clips that are not music, or noise, until the window is full, or filled in part."""
        wanted = self._frames if rng.random() < 0.6 else int(rng.integers(self._min_frames, self._frames))
        parts: list[U8] = [self._noise] if rng.random() < 0.2 or not len(self._other) else []
        while sum(map(len, parts)) < wanted:
            stored = self._other.levels(int(rng.integers(len(self._other))), phase=int(rng.integers(64)))
            parts += [stored] * int(rng.integers(1, 4))
        level = augment.cut(np.concatenate(parts), frames=wanted, strength=self._strength, rng=rng)
        return last_frames(augment.colour(from_bytes(level), strength=self._strength, rng=rng), self._frames)
