"""A lesson that is the same for one process and for a team, and the process that learns it: OUT [NUMBER PORT PORT].

Of each batch of eight rows, every worker of a team has its own half; together they see what one process sees.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_NUMBER, _PORTS = (int(sys.argv[2]), sys.argv[3:]) if len(sys.argv) > 2 else (0, [])
if _PORTS:
    _TASK = {"type": "worker", "index": _NUMBER}
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": [f"127.0.0.1:{port}" for port in _PORTS]}, "task": _TASK}
    )

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras as keras  # noqa: E402

from training.task import Batch, Predict  # noqa: E402
from training.train import Phase, Team, fit  # noqa: E402

ROWS, FRAMES = 8, 6
PHASE = Phase(steps=12, rate=1e-2, warmup=2, batch=ROWS, validate_every=4)


class Sums:
    """Learn the sum of a window and its first value."""

    def build(self) -> keras.Model:
        layers = keras.layers
        return keras.Sequential([layers.Input((FRAMES, 4, 1)), layers.Flatten(), layers.Dense(4), layers.Dense(2)])

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        del rng
        rows = slice(_NUMBER * size, (_NUMBER + 1) * size)
        windows = np.random.default_rng(0).normal(size=(ROWS, FRAMES, 4)).astype(np.float32)[rows]
        return Batch(windows, {"wanted": np.stack([windows.sum(axis=(1, 2)), windows[:, 0, 0]], axis=1)})

    def loss(self, targets: dict[str, tf.Tensor], logits: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean((logits - targets["wanted"]) ** 2)

    def validate(self, predict: Predict) -> dict[str, float]:
        return {"score": float(predict(np.zeros((2, FRAMES, 4), np.float32)).mean())}


def main() -> None:
    """Learn it."""
    keras.utils.set_random_seed(1)
    team, task, out = Team.gathered(), Sums(), Path(sys.argv[1])
    with team.strategy.scope():
        model = task.build()
    fit(model, task, PHASE, seed=1, name="float", out=out, team=team)


if __name__ == "__main__":
    main()
