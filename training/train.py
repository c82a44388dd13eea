"""Train a model: float first, then quantization-aware from its averaged weights. Seeded; continues where it stopped.

    python -m training.train genre

Leaves float.weights.h5 and int8.weights.h5 (exponential moving averages), log.jsonl and a checkpoint in ``--out``.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from training.nets.quant import quantization_aware, settle_ranges
from training.publish import commit
from training.task import Batch, Lesson, Predict, Task, load_config
from training.tasks import make_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


CONFIGS = Path(__file__).parent / "configs"
SETTLING_BATCHES = 40


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training: ``rate`` is the peak of a cosine that starts with ``warmup`` steps.

    ``precision`` is a Keras policy: "mixed_bfloat16" halves the time of the float phase on recent processors.
    """

    steps: int
    rate: float
    warmup: int = 200
    batch: int = 64
    weight_decay: float = 1e-4
    average: float = 0.999
    validate_every: int = 500
    precision: str = "float32"


def predictor(model: keras.Model) -> Predict:
    """Return a function from windows [n, frames, 128] to logits [n, size] by a Keras model."""

    def predict(windows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        logits: np.ndarray[Any, Any] = model.predict(windows[..., None], batch_size=256, verbose=0)
        return logits

    return predict


class Trainer:
    """A model, its optimizer, the moving average of its weights and the step count, checkpointed together."""

    def __init__(self, model: keras.Model, task: Lesson, phase: Phase, folder: Path) -> None:
        """Prepare, and restore the last checkpoint in ``folder`` if there is one."""
        self.model, self.task, self.phase = model, task, phase
        schedule = keras.optimizers.schedules.CosineDecay(
            phase.rate * 0.01,
            decay_steps=max(1, phase.steps - phase.warmup),
            alpha=0.01,
            warmup_target=phase.rate,
            warmup_steps=phase.warmup,
        )
        self.optimizer = keras.optimizers.AdamW(schedule, weight_decay=phase.weight_decay, jit_compile=False)
        self.optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma", "min", "max"])
        self.optimizer.build(model.trainable_variables)
        self.weights = [weight for weight in model.weights if weight.dtype.is_floating]
        self.averages = [tf.Variable(weight, trainable=False) for weight in self.weights]
        self.step = tf.Variable(0, dtype=tf.int64)
        checkpoint = tf.train.Checkpoint(model=model, optimizer=self.optimizer, averages=self.averages, step=self.step)
        self.checkpoints = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=1)
        checkpoint.restore(self.checkpoints.latest_checkpoint)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def learn(self, windows: tf.Tensor, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        """Take one step on one batch; return its loss."""
        with tf.GradientTape() as tape:
            loss = self.task.loss(targets, self.model(windows[..., None], training=True))
            loss += sum(self.model.losses)  # of layers whose weights are shrunk
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        self.step.assign_add(1)
        step = tf.cast(self.step, tf.float32)
        keep = tf.minimum(self.phase.average, step / (step + 10.0))
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.assign(keep * average + (1.0 - keep) * weight)
        return loss

    def swap(self) -> None:
        """Exchange the model's weights and their averages."""
        for average, weight in zip(self.averages, self.weights, strict=True):
            value = weight.numpy()
            weight.assign(average)
            average.assign(value)


def batches(task: Lesson, phase: Phase, *, seed: int, first: int) -> Iterator[Batch]:
    """Yield the batches of steps ``first``.. of a phase, made one ahead; step k's batch depends on seed and k alone."""
    with ThreadPoolExecutor(1) as pool:

        def submit(step: int) -> Any:  # noqa: ANN401 - a future
            return pool.submit(task.batch, np.random.default_rng([seed, step]), phase.batch)

        upcoming = submit(first)
        for step in range(first, phase.steps):
            ready, upcoming = upcoming, submit(step + 1)
            yield ready.result()


def fit(model: keras.Model, task: Lesson, phase: Phase, *, seed: int, name: str, out: Path) -> None:
    """Train ``model`` for one phase and leave its averaged weights in it and in ``out``."""
    weights = out / f"{name}.weights.h5"
    if weights.exists():
        model.load_weights(weights)
        return
    trainer = Trainer(model, task, phase, out / f"checkpoint-{name}")
    started, losses = time.monotonic(), []
    for batch in batches(task, phase, seed=seed, first=int(trainer.step)):
        targets = {key: tf.constant(value) for key, value in batch.targets.items()}
        losses.append(float(trainer.learn(tf.constant(batch.windows), targets)))
        step = int(trainer.step)
        if step % phase.validate_every and step != phase.steps:
            continue
        trainer.checkpoints.save()
        trainer.swap()
        row = {"phase": name, "step": step, "loss": float(np.mean(losses)), **task.validate(predictor(model))}
        trainer.swap()
        row["minutes"] = (time.monotonic() - started) / 60.0
        losses.clear()
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")
        print("  ".join(f"{key} {value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()))
    trainer.swap()
    model.save_weights(weights)


def train(config: dict[str, Any], task: Task, out: Path) -> None:
    """Run both phases of ``config``; its ``init`` may name a run whose float weights to start from."""
    seed = int(config["seed"])
    keras.utils.set_random_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps({"commit": commit(), **config}, indent=1) + "\n")
    phase = Phase(**config["float"])
    keras.mixed_precision.set_global_policy(phase.precision)
    learner = task.build()
    if config.get("init"):
        learner.load_weights(Path(config["init"]) / "float.weights.h5")
    fit(learner, task, phase, seed=seed, name="float", out=out)

    keras.mixed_precision.set_global_policy("float32")
    model = task.build()
    model.set_weights(learner.get_weights())
    quantized = quantization_aware(model)
    first = [task.batch(np.random.default_rng([seed, index]), phase.batch).windows for index in range(SETTLING_BATCHES)]
    settle_ranges(quantized, first)
    fit(quantized, task, Phase(**config["int8"]), seed=seed + 1, name="int8", out=out)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__.split("\n\n")[0])
    parser.add_argument("config", help="genre or tempo, whose configs are committed, or a TOML file of your own")
    parser.add_argument("--prepared", type=Path, default=Path("runs/data"), help="where training.prepare left its sets")
    parser.add_argument("--out", type=Path, help="folder of this run (runs/CONFIG); an unfinished one is continued")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override, e.g. float.steps=100"
    )
    options = parser.parse_args(arguments)
    committed = CONFIGS / f"{options.config}.toml"
    path = committed if committed.exists() else Path(options.config)
    if not path.is_file():
        parser.error(f"no config {options.config!r}: say genre, tempo or the name of a TOML file")
    config = load_config(path, options.set)
    train(config, make_task(config, options.prepared), options.out or Path("runs") / path.stem)


if __name__ == "__main__":
    main()
