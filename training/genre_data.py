"""Training windows of the genre task: drawn from GTZAN, FMA-small, real clips and not-music, changed and mixed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stream_analyzer.errors import ConfigError
from stream_analyzer.features import SPEC, StreamingLogMel
from training import augment
from training.dataset import FrameSet, from_bytes, last_frames, load_frame_set, to_bytes
from training.genres import LABELS, known_mask, label_index, tagged_index
from training.task import Batch

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.manifest import ModelInput
    from stream_analyzer.types import F32, U8
    from training.augment import Augmentation

Flags = npt.NDArray[np.bool_]

# FMA tracks of these kinds teach a genre but not that they are music.
DOUBTFUL_MUSIC = {
    "Noise", "Field Recordings", "Sound Effects", "Sound Art", "Sound Collage", "Audio Collage", "Drone",
}  # fmt: skip


TEACHER_FILE = "genre-teacher.npz"


@dataclass(frozen=True, slots=True)
class Mix:
    """How a batch is drawn: shares of each kind of clip, and how often and how strongly two are mixed.

    ``teacher`` is the weight of what `training.teach` guessed beside a clip's own label; 0 does without.
    """

    gtzan: float = 0.25
    real: float = 0.04
    not_music: float = 0.08
    background: float = 0.05
    mixup: float = 0.25
    mixup_alpha: float = 0.4
    smoothing: float = 0.1
    teacher: float = 0.0


class Clips:
    """Clips of a set at the model's frame rate: label, labels the clip could have, and whether it is music."""

    def __init__(self, frames: FrameSet, *, every: int, guess: F32 | None = None) -> None:
        """Take all clips of ``frames``; sets at the full frame rate give every ``every``-th frame.

        ``guess`` [clips, labels] are a teacher's posteriors over the labels the clips' set can't know.
        """
        self._frames = frames
        self._guess = guess
        self._step = round(frames.frames_per_second * every / SPEC.frames_per_second)
        self.label = np.array([label_index(label) for label in frames.label])
        self.tagged = np.array([tagged_index(tags) for tags in frames.tags])
        self.mask = np.array([known_mask(dataset) for dataset in frames.dataset], np.float32)
        self.music = ~not_music(frames)
        self.music_known = np.array([not DOUBTFUL_MUSIC.intersection(text.split("|")) for text in frames.tags])

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self._frames)

    def levels(self, index: int, *, phase: int) -> U8:
        """Return the bytes [frames, 128] of one clip; of faster sets every n-th frame from ``phase`` on."""
        return self._frames.levels(index)[phase % self._step :: self._step]

    def targets(self, index: int, *, mix: Mix) -> tuple[F32, F32]:
        """Return label distributions and their masks, both [2, labels]; the distributions sum to 1 together.

        The first is the clip's label among those its set can know. The second is over the other set's: a label that
        the clip's tags name, else a teacher's guess, else nothing.
        """
        label, mask = np.zeros((2, len(LABELS)), np.float32), np.ones((2, len(LABELS)), np.float32)
        mask[0] = self.mask[index]
        label[0] = _smooth(self.label[index], mask[0], smoothing=mix.smoothing)
        if self.tagged[index] >= 0:
            mask[1] = known_mask("gtzan")
            label[1] = _smooth(self.tagged[index], mask[1], smoothing=mix.smoothing)
        elif self._guess is not None:
            mask[1] = self._guess[index] > 0.0
            label[1] = self._guess[index] * np.float32(mix.teacher)
        return label / label.sum(), mask


def _smooth(index: int, mask: F32, *, smoothing: float) -> F32:
    """Return 1 at ``index`` with ``smoothing`` of it spread over ``mask``."""
    target = mask * np.float32(smoothing / mask.sum())
    target[index] += np.float32(1.0 - smoothing)
    return np.asarray(target, np.float32)


def not_music(frames: FrameSet) -> Flags:
    """Tell which clips are environmental sound, speech or silence."""
    return np.char.startswith(frames.label, "negative") | np.char.startswith(frames.label, "speech")


def held_out(frames: FrameSet) -> Flags:
    """Tell which clips are kept for validation: a quarter, by their name."""
    return np.array([zlib.crc32(name.encode()) % 4 == 0 for name in frames.name])


def noise_log_mel(seconds: float) -> F32:
    """Return the log-mel of white noise through the service's own features."""
    samples = np.random.default_rng(0).normal(0.0, 0.1, int(seconds * SPEC.sample_rate_hz))
    return StreamingLogMel().push(samples.astype(np.float32))


def _load_guesses(prepared: Path) -> dict[str, F32]:
    try:
        with np.load(prepared / TEACHER_FILE, allow_pickle=False) as data:
            return dict(data)
    except OSError as error:
        msg = f"can't read {prepared / TEACHER_FILE}: run python -m training.teach, or set mix.teacher=0"
        raise ConfigError(msg) from error


class GenreWindows:
    """The sets a genre model learns from, and random training batches of them."""

    def __init__(self, prepared: Path, *, window: ModelInput, mix: Mix, strength: Augmentation) -> None:
        """Load the prepared sets; train splits and not-music clips that are not held out train."""
        self._frames, self._min_frames, self._mix, self._strength = window.frames, window.min_frames, mix, strength
        gtzan, fma, audio = (load_frame_set(prepared / f"{name}.npz") for name in ("gtzan", "fma-small", "audio"))
        guesses = _load_guesses(prepared) if mix.teacher > 0.0 else {}

        def clips(frames: FrameSet, rows: Flags) -> Clips:
            guess = guesses.get(str(frames.dataset[0]))
            chosen = np.flatnonzero(rows)
            return Clips(frames.take(chosen), every=window.every, guess=None if guess is None else guess[chosen])

        negative, kept = not_music(audio), held_out(audio)
        self._gtzan, self._fma = clips(gtzan, gtzan.split == "train"), clips(fma, fma.split == "train")
        self._real = Clips(
            audio.take(np.flatnonzero((audio.dataset == "gtzan") & (audio.split == "train"))), every=window.every
        )
        self._other = Clips(audio.take(np.flatnonzero(negative & ~kept)), every=window.every)
        self._noise = to_bytes(noise_log_mel(120.0))[:: window.every]
        self.valid = [frames.take(np.flatnonzero(frames.split == "valid")) for frames in (gtzan, fma)]
        heard = (audio.dataset == "librosa_data") & ~negative | (audio.dataset == "gtzan") & (audio.split == "valid")
        self.valid_music = Clips(audio.take(np.flatnonzero(negative & kept | heard)), every=window.every)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw a batch.

        Targets: ``label`` and ``mask`` [size, 4, labels], two for each window and two for what was mixed in; ``music``
        and its weight [size].
        """
        windows = np.empty((size, self._frames, SPEC.n_mels), np.float32)
        label = np.zeros((size, 4, len(LABELS)), np.float32)
        mask = np.ones((size, 4, len(LABELS)), np.float32)
        music, music_weight = np.zeros(size, np.float32), np.ones(size, np.float32)
        for row in range(size):
            if rng.random() < self._mix.not_music:
                windows[row] = self._not_music_window(rng)
                continue
            clips, index, window = self._music_window(rng)
            music[row], music_weight[row] = 1.0, float(clips.music_known[index])
            share = 1.0
            if rng.random() < self._mix.mixup:
                share = float(rng.beta(self._mix.mixup_alpha, self._mix.mixup_alpha))
                others, other, second = self._music_window(rng)
                window = share * window + (1.0 - share) * (second + (window.max() - second.max()))
                label[row, 2:], mask[row, 2:] = others.targets(other, mix=self._mix)
            label[row, :2], mask[row, :2] = clips.targets(index, mix=self._mix)
            label[row, :2] *= np.float32(share)
            label[row, 2:] *= np.float32(1.0 - share)
            windows[row] = self._finish(window, rng)
        return Batch(windows, {"label": label, "mask": mask, "music": music, "music_weight": music_weight})

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
        stored = clips.levels(index, phase=int(rng.integers(64)))
        level = augment.cut(stored, frames=self._frames, strength=self._strength, rng=rng)
        window = augment.colour(from_bytes(level), strength=self._strength, rng=rng)
        if rng.random() < self._mix.background:
            window = augment.add_power(window, self._not_music_window(rng), below=float(rng.uniform(2.0, 7.0)))
        return clips, index, window

    def _not_music_window(self, rng: np.random.Generator) -> F32:
        """Join clips that are not music, or noise, until the window is full, or filled in part."""
        wanted = self._frames if rng.random() < 0.6 else int(rng.integers(self._min_frames, self._frames))
        parts: list[U8] = [self._noise] if rng.random() < 0.2 or not len(self._other) else []
        while sum(map(len, parts)) < wanted:
            stored = self._other.levels(int(rng.integers(len(self._other))), phase=int(rng.integers(64)))
            parts += [stored] * int(rng.integers(1, 4))
        level = augment.cut(np.concatenate(parts), frames=wanted, strength=self._strength, rng=rng)
        return last_frames(augment.colour(from_bytes(level), strength=self._strength, rng=rng), self._frames)
