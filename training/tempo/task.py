"""The tempo task: windows of GTZAN and of generated songs -> logits over log-spaced BPM bins; see `training.task`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.manifest import ModelInput
from stream_analyzer.analysis.tempo.output import TempoOutput
from stream_analyzer.errors import ConfigError
from training.data.dataset import FrameSet, load_frame_set
from training.task import Batch, Predict
from training.tempo import data as tempo_data
from training.tempo import net as tempo_net
from training.tempo.data import Clips
from training.tempo.grid import BINS_PER_OCTAVE, BPM_BINS, FRAMES, FRAMES_PER_SECOND
from training.tempo.score import NEAR, peak_bpm, scores, softmax

if TYPE_CHECKING:
    import tf_keras as keras

    from stream_analyzer.types import F32, F64

EVERY = 4
STRIDE = 25
MIN_FRAMES = 38
GTZAN_FRAMES_PER_SECOND = 22_050 / 512 / 3.3368  # as its README states; the prepared set calls it 12.5
EXACT = ("fnf", "mdbdrums", "opentaiko", "osu", "stepmania", "stepmania_hodobox")
VALID_STEP = 12  # frames between the windows that validation looks at


class TempoTask:
    """Everything `training.train` and `training.export` ask about the tempo model."""

    def __init__(self, config: dict[str, Any], prepared: Path) -> None:
        """Load the prepared sets and the generated songs that are there."""
        self._net, self._mix = config["net"], config["mix"]
        self.input = ModelInput(frames=FRAMES, every=EVERY, stride=STRIDE, min_frames=MIN_FRAMES)
        self.output = TempoOutput(bpm=tuple(round(float(bpm), 4) for bpm in BPM_BINS))
        self.time_constant_s = float(config["time_constant_s"])
        gtzan = load_frame_set(prepared / "gtzan.npz")
        rows = np.flatnonzero((gtzan.split == "train") & np.isfinite(gtzan.bpm))
        audio = load_frame_set(prepared / "audio.npz")
        heard = np.flatnonzero((audio.split == "train") & (audio.dataset == "gtzan") & np.isfinite(audio.bpm))
        self._train = [
            _clips(gtzan, rows, frames_per_second=GTZAN_FRAMES_PER_SECOND),
            _clips(audio, heard, frames_per_second=EVERY * FRAMES_PER_SECOND),
            *(load_synth(Path(folder)) for folder in config["sets"]),
        ]
        rest = [self._mix["sound"] if len(heard) else 0.0, *config["sets"].values()]
        self._shares = np.array([1.0 - sum(rest), *rest])
        valid = np.flatnonzero((gtzan.split == "valid") & np.isfinite(gtzan.bpm))
        songs = np.flatnonzero(np.isin(audio.dataset, EXACT) & np.isfinite(audio.bpm))
        self._valid = {
            "gtzan": (
                [gtzan.clip(int(i)) for i in valid],
                gtzan.bpm[valid].astype(np.float64),
                GTZAN_FRAMES_PER_SECOND,
            ),
            "exact": (
                [audio.clip(int(i))[::EVERY] for i in songs],
                audio.bpm[songs].astype(np.float64),
                FRAMES_PER_SECOND,
            ),
        }

    def build(self) -> keras.Model:
        """Return a fresh float network."""
        return tempo_net.build(**self._net)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw one augmented batch; the target is a Gaussian of one bin's width around the true tempo."""
        counts = rng.multinomial(size, self._shares)
        parts = [clips.cut(rng, int(count)) for clips, count in zip(self._train, counts, strict=True) if count]
        order = rng.permutation(size)
        windows = np.concatenate([part[0] for part in parts])[order]
        bpm = np.concatenate([part[1] for part in parts])[order]
        spliced = int(rng.binomial(size, self._mix["splice"]))
        tempo_data.splice(windows, rng.permutation(windows[-spliced:]) if spliced else windows[:0], rng)
        windows = tempo_data.spoil(windows, rng)
        tempo_data.unfill(windows[spliced:], rng, share=self._mix["unfilled"], min_frames=MIN_FRAMES)
        gap = np.log2(bpm[:, None] / BPM_BINS) * BINS_PER_OCTAVE
        target = np.exp(-0.5 * (gap / self._mix["target_bins"]) ** 2) + 1e-9
        target /= target.sum(axis=1, keepdims=True)
        return Batch(windows, {"tempo": target.astype(np.float32)})

    def loss(self, targets: dict[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
        """Cross entropy between the target distribution and the network's."""
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets["tempo"], logits))

    def validate(self, predict: Predict) -> dict[str, float]:
        """Score whole clips; ``score`` is the mean Accuracy1 of GTZAN and the exact songs."""
        found: dict[str, float] = {}
        for name in self._valid:
            result = self._scores(name, predict, temperature=1.0)
            found |= {f"{name} {key}": result[key] for key in ("accuracy1", "accuracy2", "rmse_mean_bpm")}
        found["score"] = float(np.mean([found[f"{name} accuracy1"] for name in self._valid]))
        return found

    def _scores(self, name: str, predict: Predict, *, temperature: float) -> dict[str, float]:
        clips, truth, rate = self._valid[name]
        posteriors = clip_posteriors(clips, predict, temperature=temperature)
        scale = rate / FRAMES_PER_SECOND
        estimate = np.array([peak_bpm(posterior) for posterior in posteriors]) * scale
        return scores(estimate, truth, posteriors @ BPM_BINS * scale)

    def calibrate(self, predict: Predict) -> tuple[dict[str, float], TempoOutput]:
        """Find the temperature that makes the mass within 4 % of the peak the chance of being right."""
        logits, truth = self._window_logits(predict)
        near = np.abs(np.log(BPM_BINS / truth[:, None])) <= np.log(1.04)
        losses = {}
        for temperature in np.exp(np.linspace(np.log(0.5), np.log(3.0), 46)):
            probability = softmax(logits / temperature)
            chosen = np.argmax(probability @ NEAR, axis=1)
            mass = np.clip((probability * NEAR[chosen]).sum(axis=1), 1e-6, 1.0 - 1e-6)
            right = near[np.arange(len(chosen)), chosen]
            losses[float(temperature)] = float(-np.log(np.where(right, mass, 1.0 - mass)).mean())
        return {"temperature": min(losses, key=lambda temperature: losses[temperature])}, self.output

    def _window_logits(self, predict: Predict) -> tuple[F64, F64]:
        logits, truth = [], []
        for clips, bpm, rate in self._valid.values():
            for clip, tempo in zip(clips, bpm, strict=True):
                cut = valid_windows(clip)
                logits.append(predict(cut).astype(np.float64))
                truth.append(np.full(len(cut), tempo * FRAMES_PER_SECOND / rate))
        return np.concatenate(logits), np.concatenate(truth)

    def metrics(self, predict: Predict, *, temperature: float) -> list[dict[str, Any]]:
        """Return the manifest's metric rows: whole clips, posterior averaged over windows about a second apart."""
        rows = []
        for name, title in (
            ("gtzan", "gtzan (features, human tempo)"),
            ("exact", "100 songs with exact tempo (audio)"),
        ):
            result = self._scores(name, predict, temperature=temperature)
            rows += [
                {
                    "dataset": title,
                    "split": "valid",
                    "n": result["n"],
                    "metric": metric,
                    "value": round(result[metric], 4),
                }
                for metric in ("accuracy1", "accuracy2", "rmse_mean_bpm")
            ]
        return rows

    def golden(self) -> F32:
        """Return a window of generated sound: a click of decaying noise at 120 BPM over hiss."""
        rng = np.random.default_rng(0)
        samples = FRAMES * EVERY * SPEC.hop + SPEC.n_fft
        since_beat = np.arange(samples) % (SPEC.sample_rate_hz // 2)
        sound = rng.normal(0.0, 0.3, samples) * np.exp(-since_beat / 900.0) + rng.normal(0.0, 0.002, samples)
        return StreamingLogMel().push(sound.astype(np.float32))[::EVERY][:FRAMES]

    def licences(self) -> list[str]:
        """Name the data trained on."""
        return [
            "GTZAN train list (442 clips as mel features, 137 as sound; tempo of GTZAN-Rhythm): no licence stated",
            "songs generated by this project with MMA and fluidsynth: own work",
            "Groove MIDI train split (Google): CC BY 4.0",
            "POP909: MIT",
        ]


def make_task(config: dict[str, Any], prepared: Path) -> TempoTask:
    """Build the task; `training.tasks.make_task` calls this."""
    return TempoTask(config, prepared)


def _clips(frames: FrameSet, rows: np.ndarray[Any, np.dtype[np.int64]], *, frames_per_second: float) -> Clips:
    return Clips(
        level=np.asarray(frames.level),
        start=frames.start[rows],
        length=frames.length[rows],
        bpm=frames.bpm[rows].astype(np.float64),
        frames_per_second=frames_per_second,
        spread=0.2,
    )


def load_synth(folder: Path) -> Clips:
    """Load every shard that `training.prepare music` has finished."""
    paths = sorted(folder.glob("shard_*.npz"))
    if not paths:
        msg = f"no generated songs in {folder}; run: python -m training.prepare music --known tempo --out {folder}"
        raise ConfigError(msg)
    levels, lengths, bpm = [], [], []
    for path in paths:
        with np.load(path, allow_pickle=False) as shard:
            if str(shard["feature"]) != SPEC.digest:
                msg = f"{path} was made for feature definition {shard['feature']}, not {SPEC.digest}; delete it"
                raise ConfigError(msg)
            levels.append(shard["level"])
            lengths.append(shard["length"])
            bpm.append(shard["bpm"])
    level = np.concatenate(levels)
    frames = level.shape[1]
    return Clips(
        level=level.reshape(-1, SPEC.n_mels),
        start=np.arange(len(level), dtype=np.int64) * frames,
        length=np.concatenate(lengths).astype(np.int64),
        bpm=np.concatenate(bpm).astype(np.float64),
        frames_per_second=2 * FRAMES_PER_SECOND,
        spread=0.06,
    )


def valid_windows(clip: F32) -> F32:
    """Cut full windows [n, 150, 128], about a second apart, out of a clip [frames, 128]."""
    starts = range(0, max(1, len(clip) - FRAMES + 1), VALID_STEP)
    padded = np.full((max(0, FRAMES - len(clip)), clip.shape[1]), SPEC.log_floor, np.float32)
    clip = np.concatenate([padded, clip])
    return np.stack([clip[start : start + FRAMES] for start in starts])


def clip_posteriors(clips: list[F32], predict: Predict, *, temperature: float) -> F64:
    """Return the mean posterior [clips, bins] of the windows of each clip."""
    cuts = [valid_windows(clip) for clip in clips]
    probability = softmax(predict(np.concatenate(cuts)).astype(np.float64) / temperature)
    ends = np.cumsum([len(cut) for cut in cuts])
    return np.stack([part.mean(axis=0) for part in np.split(probability, ends[:-1])])
