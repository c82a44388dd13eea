"""The genre task: network, loss, scores and calibration of a model with logits of genres, sub-genres and music.

Labels are partial: a clip's loss is a softmax over the labels its own set can know. Shared labels (pop, rock, hip-hop)
tie the two scales together.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.genre.output import Calibration, GenreOutput, SubGenre
from stream_analyzer.analysis.manifest import ModelInput
from training.data.dataset import from_bytes, last_frames
from training.data.genres import KNOWN, LABELS, SUB_GENRES
from training.genre.augment import Augmentation
from training.genre.calibration import (
    label_temperature,
    music_threshold,
    sub_genre_temperature,
    sure_sub_genres,
    tagged_clips,
)
from training.genre.data import GenreWindows, Mix
from training.genre.net import genre_net, standardise
from training.genre.scores import clip_logits, scores, truth_of

if TYPE_CHECKING:
    from pathlib import Path

    import tf_keras as keras

    from stream_analyzer.types import F32
    from training.task import Batch, Predict

EVERY = 4
STRIDE = 50
MIN_FRAMES = 38
LIVE_FRAMES = 63  # chosen with `python -m training.evaluate genre-switch`
MUSIC_SMOOTHING = 0.01
STANDARDISED_ON = 1024


class GenreTask:
    """Everything `training.train` and `training.export` ask about the genre model; see `training.task.Task`."""

    def __init__(self, config: dict[str, Any], prepared: Path) -> None:
        """Load the prepared sets."""
        self._net = config["net"]
        self._music_weight = float(config["loss"]["music_weight"])
        self._sub_weight = float(config["loss"]["sub_weight"])
        frames = int(self._net["frames"])
        self.input = ModelInput(frames, every=EVERY, stride=STRIDE, min_frames=MIN_FRAMES, live_frames=LIVE_FRAMES)
        sub_genres = tuple(SubGenre(label, parent, 0.5) for label, (parent, _) in SUB_GENRES.items())
        self.output = GenreOutput(labels=LABELS, sub_genres=sub_genres)
        self.time_constant_s = float(config["time_constant_s"])
        self._confident = float(config["confident"])
        self._data = GenreWindows(
            prepared, window=self.input, mix=Mix(**config["mix"]), strength=Augmentation(**config["augment"])
        )

    def build(self) -> keras.Model:
        """Return a fresh float network whose description of a window is standardised on training windows."""
        model = genre_net(bands=SPEC.n_mels, size=self.output.size, **self._net)
        standardise(model, self.batch(np.random.default_rng(0), STANDARDISED_ON).windows)
        return model

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw one augmented batch."""
        return self._data.batch(rng, size)

    def loss(self, targets: dict[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
        """Cross entropy over the labels each clip's set can know, plus those of music and of each sub-genre."""
        labels, sub_genres, music = logits[:, None, : len(LABELS)], logits[:, len(LABELS) : -1], logits[:, -1]
        within = tf.nn.log_softmax(labels + (targets["mask"] - 1.0) * 1e9)
        genre = -tf.reduce_sum(targets["label"] * tf.maximum(within, -1e6), axis=[1, 2])
        wanted = targets["music"] * (1.0 - 2.0 * MUSIC_SMOOTHING) + MUSIC_SMOOTHING
        binary = tf.nn.sigmoid_cross_entropy_with_logits(wanted, music)
        tags = tf.nn.sigmoid_cross_entropy_with_logits(targets["sub_genres"], sub_genres)
        return (
            tf.reduce_mean(genre)
            + self._music_weight * tf.reduce_mean(binary * targets["music_weight"])
            + self._sub_weight * tf.reduce_mean(tf.reduce_sum(tags, axis=1) * targets["sub_weight"])
        )

    def validate(self, predict: Predict) -> dict[str, float]:
        """Score three windows a clip; ``score`` is the mean clip accuracy of the sets."""
        found: dict[str, float] = {}
        for dataset, result in self._scores(predict, step=self.input.frames, temperature=1.0).items():
            found |= {f"{dataset} {key}": result[key] for key in ("clip_accuracy", "window_accuracy", "ece")}
        found["music"] = self._music_accuracy(predict)
        found["score"] = float(np.mean([found[f"{dataset} clip_accuracy"] for dataset in KNOWN]))
        return found

    def _scores(self, predict: Predict, *, step: int, temperature: float) -> dict[str, dict[str, Any]]:
        found = {}
        for frames in self._data.valid:
            dataset, truth = truth_of(frames)
            logits = [
                row[:, : len(LABELS)] for row in clip_logits(frames, predict, window=self.input.frames, step=step)
            ]
            stride = -(-self.input.frames // step)
            found[dataset] = scores(logits, truth, dataset=dataset, stride=stride, temperature=temperature)
        return found

    def _music_accuracy(self, predict: Predict) -> float:
        """Return the mean over music and not-music of the share of real clips judged right.

        A clip shorter than the service waits for is repeated until it is as long.
        """
        clips = self._data.valid_music
        heard = [from_bytes(clips.levels(index, phase=0)) for index in range(len(clips))]
        repeated = [np.tile(clip, (-(-MIN_FRAMES // len(clip)), 1)) for clip in heard]
        windows = [last_frames(clip, self.input.frames) for clip in repeated]
        judged = predict(np.stack(windows))[:, -1] > 0.0
        return float(np.mean([(judged == clips.music)[clips.music == kind].mean() for kind in (False, True)]))

    def calibrate(self, predict: Predict) -> tuple[dict[str, float], GenreOutput]:
        """Choose temperatures and thresholds; see `training.genre.calibration`."""
        window = self.input.frames
        tagged = tagged_clips(self._data.valid[-1], predict, window=window)
        sub_temperature = sub_genre_temperature(tagged.logits, tagged.flags)
        calibration = Calibration(
            temperature=label_temperature(self._data.valid, predict, window=window),
            sub_temperature=sub_temperature,
            music_threshold=music_threshold(self._data.valid_surely_music, predict, window=self.input),
            confident=self._confident,
        )
        sure = sure_sub_genres(self.output.sub_genres, tagged, temperature=sub_temperature)
        return asdict(calibration), replace(self.output, sub_genres=sure)

    def metrics(self, predict: Predict, *, temperature: float) -> list[dict[str, Any]]:
        """Return clip and window accuracy and calibration error of both sets, and the accuracy of music."""
        rows: list[dict[str, Any]] = []
        for dataset, result in self._scores(predict, step=18, temperature=temperature).items():
            for key, count in (("clip_accuracy", "n"), ("window_accuracy", "windows"), ("ece", "windows")):
                row = {"dataset": dataset, "split": "valid", "n": result[count], "metric": key, "value": result[key]}
                rows.append(row)
        music = {"dataset": "audio", "split": "held out", "n": len(self._data.valid_music), "metric": "music_accuracy"}
        return [*rows, {**music, "value": self._music_accuracy(predict)}]

    def golden(self) -> F32:
        """Return a window of generated sound, a chord and a pulse of noise, through the service's own features."""
        time_s = np.arange(SPEC.sample_rate_hz * 11) / SPEC.sample_rate_hz
        tones_hz = np.array([110.0, 220.0, 277.2, 329.6, 880.0])
        chord = np.sin(2.0 * np.pi * tones_hz[:, None] * time_s).sum(axis=0)
        pulse = np.exp(-8.0 * (time_s % 0.5)) * np.random.default_rng(1).normal(size=time_s.size)
        frames = StreamingLogMel().push((0.05 * chord + 0.2 * pulse).astype(np.float32))
        return last_frames(frames[::EVERY], self.input.frames)

    def licences(self) -> list[str]:
        """Return one line for each data set trained on."""
        return [
            "GTZAN, fault-filtered train split: research collection of commercial recordings, no stated licence",
            "FMA-small, train split: Creative Commons, per track",
            "Sounds that are not music: ESC-10 (CC BY), pyAudioAnalysis samples (Apache-2.0), librosa samples (CC)",
        ]


def make_task(config: dict[str, Any], prepared: Path) -> GenreTask:
    """Return the task; see `training.tasks.make_task`."""
    return GenreTask(config, prepared)
