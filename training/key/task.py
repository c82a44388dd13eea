"""The key task: profiles of GTZAN clips and of generated songs -> logits of 24 keys and none; see `training.task`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stream_analyzer.analysis.key.chords import COLUMNS, Heard
from stream_analyzer.analysis.key.output import KeyOutput
from stream_analyzer.analysis.key.profile import Profile
from stream_analyzer.analysis.manifest import ModelInput
from stream_analyzer.analysis.pitches import PITCHES, StreamingPitches
from training.key import net, pitch_set
from training.key.data import STRIDE, Clips, Mix, drummed, roughened, view
from training.key.pitch_set import NO_KEY
from training.key.score import scores
from training.task import Batch, Predict

if TYPE_CHECKING:
    import tf_keras as keras

    from stream_analyzer.types import F32

WINDOW, MIN_FRAMES = 150, 8  # frames of a fifth of a second
CLEAR = 0.4  # from this probability on a key is shown as clear; its calibration makes it mean that


class KeyTask:
    """Everything `training.train` and `training.export` ask about the key model."""

    def __init__(self, config: dict[str, Any], prepared: Path) -> None:
        """Load the prepared clips and the generated songs that are there."""
        self._net, self._mix = net.Shape(**config["net"]), Mix(**config["mix"])
        self.input = ModelInput(
            frames=WINDOW, every=1, stride=STRIDE, min_frames=MIN_FRAMES, values="profile", columns=COLUMNS
        )
        self.output = KeyOutput()
        self.time_constant_s = float(config["time_constant_s"])
        real = pitch_set.load([prepared / "keys.npz"])
        songs = [pitch_set.load(sorted(Path(folder).rglob("shard_*.npz"))) for folder in config["sets"]]
        train = [_clips(real, "train"), *(_clips(one, "train") for one in songs)]
        self._train = [one.only(keyed=True) for one in train]
        self._none = [clips for one in train if len((clips := one.only(keyed=False)).frames)]
        shares = list(config["sets"].values())
        self._shares = np.array([1.0 - sum(shares), *shares])
        self._valid = {"gtzan": _clips(real, "valid")}
        held_out = [one for one in songs if "valid" in one.split]
        if held_out:
            self._valid["generated"] = _clips(held_out[0], "valid")

    def build(self) -> keras.Model:
        """Return a fresh float network."""
        return net.build(self._net)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw one batch."""
        windows, keys = zip(*(self._window(rng) for _ in range(size)), strict=True)
        return Batch(np.array(windows, np.float32), {"key": np.array(keys)})

    def _window(self, rng: np.random.Generator) -> tuple[F32, int]:
        """Return a window as the network sees it, and its key."""
        mix = self._mix
        if self._none and rng.random() < mix.none:
            clips = self._none[int(rng.integers(len(self._none)))]
        else:
            clips = self._train[int(rng.choice(len(self._train), p=self._shares))]
        frames, key = clips.stretch(rng, least=mix.least_frames, whole=mix.whole)
        if self._none and key < NO_KEY and rng.random() < mix.drums:
            drums, _ = self._none[0].stretch(rng, least=mix.least_frames, whole=mix.whole)
            frames = drummed(frames, drums, rng)
        return view(roughened(frames, rng)), key

    def loss(self, targets: dict[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
        """Cross entropy of the key."""
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets["key"], logits))

    def validate(self, predict: Predict) -> dict[str, float]:
        """Score whole clips; ``score`` is the weighted score on GTZAN."""
        found = {f"{name} weighted": self._scores(name, predict)["weighted"] for name in self._valid}
        return found | {"score": found["gtzan weighted"]}

    def _scores(self, name: str, predict: Predict) -> dict[str, float]:
        clips = self._valid[name]
        keyed = np.flatnonzero(clips.key < NO_KEY)
        chosen = predict(clips.whole()[keyed])[:, :NO_KEY].argmax(axis=1)
        return scores([int(key) for key in clips.key[keyed]], [int(key) for key in chosen])

    def calibrate(self, predict: Predict) -> tuple[dict[str, float], KeyOutput]:
        """Find the temperature at which the probability of the likeliest key is how often it is right, on GTZAN."""
        clips = self._valid["gtzan"]
        logits = predict(clips.whole())[:, :NO_KEY].astype(np.float64)
        losses = {}
        for temperature in np.exp(np.linspace(np.log(0.3), np.log(4.0), 60)):
            scaled = logits / temperature
            likelihood = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
            losses[float(temperature)] = -float(np.mean(likelihood[np.arange(len(logits)), clips.key]))
        return {"temperature": min(losses, key=lambda one: losses[one]), "clear": CLEAR}, self.output

    def metrics(self, predict: Predict, *, temperature: float) -> list[dict[str, Any]]:
        """Return the manifest's metric rows, of whole clips; no temperature moves the likeliest key."""
        del temperature
        rows = []
        for name, title in (("gtzan", "gtzan (audio, human keys)"), ("generated", "generated songs")):
            result = self._scores(name, predict) if name in self._valid else {}
            rows += [
                {
                    "dataset": title,
                    "split": "valid",
                    "n": result["n"],
                    "metric": metric,
                    "value": round(result[metric], 4),
                }
                for metric in ("weighted", "right")
                if result
            ]
        return rows

    def golden(self) -> F32:
        """Return the profile of a generated cadence in C major."""
        seconds = np.arange(8 * PITCHES.sample_rate_hz) / PITCHES.sample_rate_hz
        chords = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
        sound = np.zeros_like(seconds)
        for place, chord in enumerate(chords):
            now = (seconds // 2 == place).astype(np.float64)
            for note in chord:
                hz = 261.63 * 2.0 ** (note / 12.0)
                sound += now * sum(np.sin(2.0 * np.pi * hz * n * seconds) / n**2 for n in range(1, 6))
        heard = Profile(WINDOW)
        heard.push(StreamingPitches().push((0.1 * sound).astype(np.float32)))
        return Heard.of(heard.steps(STRIDE)).seen()

    def licences(self) -> list[str]:
        """Name the data trained on."""
        return [
            "GTZAN train list, 93 clips with keys that people named (MIT); recordings: no licence stated, research use",
            "POP909 with its keys, in other keys, instruments and with drums: MIT",
            "songs generated by this project with MMA and fluidsynth: own work",
        ]


def make_task(config: dict[str, Any], prepared: Path) -> KeyTask:
    """Build the task; `training.tasks.make_task` calls this."""
    return KeyTask(config, prepared)


def _clips(pitches: pitch_set.PitchSet, split: str) -> Clips:
    return Clips.of(pitches, np.flatnonzero(pitches.split == split))
