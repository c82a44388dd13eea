"""Train the beat network: ``python -m training.beat.train --songs DIR --recordings DIR --out RUN``. Seeded; continues.

Leaves float.weights.h5, log.jsonl, config.json and a checkpoint in the folder of the run. ``init`` names a run whose
weights to start from.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mir_eval
import numpy as np
import tensorflow as tf
import tf_keras as keras
from scipy.signal import find_peaks

from stream_analyzer.analysis.features import SPEC
from training.beat import data
from training.beat.clips import Clip, read_clips
from training.beat.net import build
from training.publish import commit
from training.task import Batch, load_config
from training.train import CONFIGS, Phase, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F32
    from training.task import Predict

CONFIG = CONFIGS / "beat.toml"
PEAK = 0.2  # a beat's activation at least, where the network alone is judged
APART = 12  # frames between such beats at least


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the sets in a batch, and what is drawn of a clip; the configuration explains them."""

    songs: float
    tapped: float
    heard: float
    frames: int
    spread: float
    spoilt: float


class BeatLesson:
    """Learns where beats and downbeats fall; judged by clips that people tapped."""

    def __init__(self, mix: Mix, net: dict[str, Any], sets: dict[str, list[Clip]], valid: list[Clip]) -> None:
        """Take the ``sets`` songs, tapped and heard, and the clips that it is judged by."""
        self._mix, self._net, self._sets, self._valid = mix, net, sets, valid

    def build(self) -> keras.Model:
        """Return a fresh network: levels [batch, frames, 128, 1] -> logits [batch, frames, 2]."""
        return build(**self._net)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw one training batch."""
        names = [name for name, clips in self._sets.items() if clips]
        shares = np.array([getattr(self._mix, name) for name in names])
        cuts = []
        for name in rng.choice(names, size, p=shares / shares.sum()):
            clips = self._sets[str(name)]
            clip = clips[int(rng.integers(len(clips)))]
            cuts.append(data.cut(clip, rng, frames=self._mix.frames, spread=self._mix.spread))
        levels, target, weight = data.batch(cuts, rng, spoilt=self._mix.spoilt)
        return Batch(levels, {"target": target, "weight": weight})

    def loss(self, targets: dict[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
        """Return the mean cross-entropy of what counts."""
        entropy = tf.nn.sigmoid_cross_entropy_with_logits(targets["target"], logits)
        return tf.reduce_sum(entropy * targets["weight"]) / tf.reduce_sum(targets["weight"])

    def validate(self, predict: Predict) -> dict[str, float]:
        """Return the F-measure of bare peaks, and the log loss, of beats and downbeats on tapped clips."""
        found = [sigmoid(predict(data.levels_of(clip)[None])[0]) for clip in self._valid]
        downbeats = [clip.time_s[clip.place == 1] for clip in self._valid]
        judged = {"beat": ([clip.time_s for clip in self._valid], 0), "downbeat": (downbeats, 1)}
        scores = {}
        for name, (truths, output) in judged.items():
            pairs = [(truth, one[:, output]) for truth, one in zip(truths, found, strict=True) if len(truth)]
            scores[name] = float(np.mean([_f_measure(*pair) for pair in pairs]))
            scores[f"{name}_loss"] = float(np.mean([_log_loss(*pair) for pair in pairs]))
        return {"score": -scores["beat_loss"] - scores["downbeat_loss"], **scores}


def sigmoid(logits: F32) -> F32:
    """Return probabilities."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)


def _f_measure(truth: np.ndarray[Any, Any], activation: F32) -> float:
    peaks, _ = find_peaks(activation, height=PEAK, distance=APART)
    truth, found = mir_eval.beat.trim_beats(truth), mir_eval.beat.trim_beats(peaks / SPEC.frames_per_second)
    return float(mir_eval.beat.f_measure(truth, found)) if len(truth) and len(found) else 0.0


def _log_loss(truth: np.ndarray[Any, Any], activation: F32) -> float:
    target = data.peaks(truth * SPEC.frames_per_second, len(activation))
    chance = np.clip(activation, 1e-4, 1.0 - 1e-4)
    return -float(np.mean(target * np.log(chance) + (1.0 - target) * np.log(1.0 - chance)))


def make_lesson(config: dict[str, Any], *, songs: Path, recordings: Path) -> BeatLesson:
    """Read what the network learns from."""
    sets = {
        "songs": read_clips(songs),
        "tapped": read_clips(recordings / "tapped_train.npz"),
        "heard": read_clips(recordings / "heard.npz") if config["mix"]["heard"] else [],
    }
    return BeatLesson(Mix(**config["mix"]), config["net"], sets, read_clips(recordings / "tapped_valid.npz"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.beat.train", description=__doc__.split("\n\n")[0])
    parser.add_argument("--songs", type=Path, default=Path("runs/beat/songs"), help="of `prepare music --known beats`")
    parser.add_argument(
        "--recordings", type=Path, default=Path("runs/beat/recordings"), help="training.beat.recordings"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/beat/run"))
    parser.add_argument("--init", help="run whose weights to start from, empty for none (as the configuration says)")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override, e.g. float.steps=100"
    )
    options = parser.parse_args(arguments)
    config = load_config(options.config, options.set)
    config["init"] = config.get("init", "") if options.init is None else options.init
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "config.json").write_text(json.dumps({"commit": commit(), **config}, indent=1) + "\n")
    phase = Phase(**config["float"])
    keras.utils.set_random_seed(config["seed"])
    keras.mixed_precision.set_global_policy(phase.precision)
    lesson = make_lesson(config, songs=options.songs, recordings=options.recordings)
    network = lesson.build()
    if config["init"]:
        network.load_weights(Path(config["init"]) / "float.weights.h5")
    fit(network, lesson, phase, seed=config["seed"], name="float", out=options.out)


if __name__ == "__main__":
    main()
