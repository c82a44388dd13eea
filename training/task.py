"""The seam between the training commands and what is learnt: train.py and export.py know a `Task`, nothing more."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import tensorflow as tf
    import tf_keras as keras

    from stream_analyzer.analysis.manifest import ModelInput
    from stream_analyzer.analysis.model import TfliteModel
    from stream_analyzer.types import F32

# float32 windows [n, frames, 128] -> float32 logits [n, size]
Predict = Callable[["F32"], "F32"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows [batch, frames, 128] of natural-log mel power, and whatever arrays the task's loss needs."""

    windows: F32
    targets: dict[str, npt.NDArray[Any]]


class Output(Protocol):
    """What the logits of a task stand for, as its manifest says it."""

    @property
    def size(self) -> int:
        """Number of logits."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as a manifest holds it."""


class Lesson(Protocol):
    """What is learnt: data, network, loss and score."""

    def build(self) -> keras.Model:
        """Return a fresh float network: [batch, frames, 128, 1] -> logits [batch, size]."""

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw one augmented training batch; the same ``rng`` state gives the same batch."""

    def loss(self, targets: dict[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
        """Return the mean loss of a batch."""

    def validate(self, predict: Predict) -> dict[str, float]:
        """Return validation metrics; ``score`` is the one that counts, higher is better."""


class Task(Lesson, Protocol):
    """What is learnt, and what the manifest says of it."""

    input: ModelInput
    time_constant_s: float

    @property
    def output(self) -> Output:
        """What the logits stand for."""

    def calibrate(self, predict: Predict) -> tuple[dict[str, float], Output]:
        """Return what makes confidences honest on the validation split, and the output with thresholds chosen there.

        The first is the calibration as a manifest holds it; one of its values is ``temperature``.
        """

    def metrics(self, predict: Predict, *, temperature: float) -> list[dict[str, Any]]:
        """Return what the manifest states: rows with ``dataset``, ``split``, ``n``, ``metric`` and ``value``."""

    def golden(self) -> F32:
        """Return a generated window [frames, 128] that pins the exported model's output."""

    def licences(self) -> list[str]:
        """Return one line for each data set trained on, with its licence."""


def load_config(path: Path, overrides: list[str]) -> dict[str, Any]:
    """Read a TOML file and apply ``section.key=value`` overrides, whose values are TOML too."""
    config = tomllib.loads(path.read_text(encoding="utf-8"))
    for override in overrides:
        key, _, value = override.partition("=")
        *sections, name = key.split(".")
        table = config
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = tomllib.loads(f"value = {value}")["value"]
    return config


def served(model: TfliteModel) -> Predict:
    """Return a function from windows [n, frames, 128] to logits [n, size] by the int8 model, one window at a time."""

    def predict(windows: F32) -> F32:
        return np.stack([model.run(window) for window in windows])

    return predict
