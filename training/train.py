"""Train a model: float first, then quantization-aware from its averaged weights. Seeded; continues where it stopped.

    python -m training.train genre

Several machines train one model together, each on its share of every batch, where `TF_CONFIG` names them (see `Team`).
Leaves float.weights.h5 and int8.weights.h5 (exponential moving averages), log.jsonl and a checkpoint in ``--out``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
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

    import numpy.typing as npt

CONFIGS = Path(__file__).parent / "configs"
SETTLING_BATCHES = 40
AHEAD = 2  # batches that are made while one is learnt
AT_ONCE = 256


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


@dataclass(frozen=True, slots=True)
class Team:
    """Who trains together: the ``number``-th of so many. The first one writes; all see the same folders.

    TensorFlow's `TF_CONFIG` says who they are, in each one's environment:
    {"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}
    """

    strategy: tf.distribute.Strategy
    number: int = 0
    workers: int = 1

    @classmethod
    def gathered(cls) -> Team:
        """Return the team that the environment names, or this process alone."""
        if "TF_CONFIG" not in os.environ:
            return cls(tf.distribute.get_strategy())
        found = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        return cls(
            tf.distribute.MultiWorkerMirroredStrategy(), found.task_id, len(found.cluster_spec().job_tasks("worker"))
        )


def predictor(model: keras.Model) -> Predict:
    """Return a function from windows [n, frames, 128] to logits [n, size] by a Keras model."""
    like = [tf.TensorSpec(model.inputs[0].shape, tf.float32)]
    run = tf.function(lambda windows: model(windows, training=False), input_signature=like)

    def predict(windows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        parts = [windows[first : first + AT_ONCE, ..., None] for first in range(0, len(windows), AT_ONCE)]
        return np.concatenate([run(tf.constant(part)).numpy() for part in parts])

    return predict


class Trainer:
    """A model, its optimizer, the moving average of its weights and the step count, checkpointed together."""

    def __init__(self, model: keras.Model, task: Lesson, phase: Phase, folder: Path, *, team: Team) -> None:
        """Prepare, and restore the last checkpoint in ``folder`` if there is one."""
        self.model, self.task, self.phase, self.strategy = model, task, phase, team.strategy
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
        """Take one step on one batch, of which each worker has its part; return its loss."""
        losses = self.strategy.run(self._descend, args=(windows, targets))
        self.step.assign_add(1)
        step = tf.cast(self.step, tf.float32)
        keep = tf.minimum(self.phase.average, step / (step + 10.0))
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.assign(keep * average + (1.0 - keep) * weight)
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _descend(self, windows: tf.Tensor, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self.task.loss(targets, self.model(windows[..., None], training=True))
            loss += sum(self.model.losses)  # of layers whose weights are shrunk
            loss /= self.strategy.num_replicas_in_sync  # for the optimizer adds up what all found
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        return loss

    def swap(self) -> None:
        """Exchange the model's weights and their averages."""
        for average, weight in zip(self.averages, self.weights, strict=True):
            value = weight.numpy()
            weight.assign(average)
            average.assign(value)


def batches(task: Lesson, phase: Phase, *, seed: Sequence[int], first: int, size: int) -> Iterator[Batch]:
    """Yield the batches of steps ``first``.. of a phase, made ahead; step k's batch depends on seed and k alone.

    They are drawn by several threads at a time: what lies on disk is read while others are computed.
    """

    def draw(step: int) -> Batch:
        return task.batch(np.random.default_rng([*seed, step]), size)

    names = sorted(draw(first).targets)

    def arrays(step: np.int64) -> list[npt.NDArray[Any]]:
        batch = draw(int(step))
        return [batch.windows, *(batch.targets[name] for name in names)]

    kinds = [array.dtype for array in arrays(np.int64(first))]
    steps = tf.data.Dataset.range(first, phase.steps)
    drawn = steps.map(lambda step: tf.numpy_function(arrays, [step], kinds), num_parallel_calls=AHEAD).prefetch(AHEAD)
    for windows, *targets in drawn:
        yield Batch(windows, dict(zip(names, targets, strict=True)))


def fit(
    model: keras.Model, task: Lesson, phase: Phase, *, seed: int, name: str, out: Path, team: Team | None = None
) -> None:
    """Train ``model`` for one phase and leave its averaged weights in it and in ``out``."""
    team = team or Team(tf.distribute.get_strategy())
    weights = out / f"{name}.weights.h5"
    if weights.exists():
        model.load_weights(weights)
        return
    with team.strategy.scope():
        trainer = Trainer(model, task, phase, out / f"checkpoint-{name}", team=team)
    started, losses, predict = time.monotonic(), [], predictor(model)
    own = [seed] if team.workers == 1 else [seed, team.number]
    first = int(trainer.step.numpy())
    drawn = batches(task, phase, seed=own, first=first, size=phase.batch // team.workers)
    for step, batch in enumerate(drawn, first + 1):
        targets = {key: tf.constant(value) for key, value in batch.targets.items()}
        losses.append(float(trainer.learn(tf.constant(batch.windows), targets)))
        if team.number or (step % phase.validate_every and step != phase.steps):
            continue
        trainer.checkpoints.save()
        trainer.swap()
        row = {"phase": name, "step": step, "loss": float(np.mean(losses)), **task.validate(predict)}
        trainer.swap()
        row["minutes"] = (time.monotonic() - started) / 60.0
        losses.clear()
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")
        print("  ".join(f"{key} {value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()))
    trainer.swap()
    if not team.number:
        model.save_weights(weights)


def train(config: dict[str, Any], task: Task, out: Path) -> None:
    """Run both phases of ``config``; its ``init`` may name a run whose float weights to start from.

    A team has the float phase in common; the short one after it is the first one's alone.
    """
    team, seed = Team.gathered(), int(config["seed"])
    keras.utils.set_random_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    if not team.number:
        (out / "config.json").write_text(json.dumps({"commit": commit(), **config}, indent=1) + "\n")
    phase = Phase(**config["float"])
    keras.mixed_precision.set_global_policy(phase.precision)
    with team.strategy.scope():
        learner = task.build()
    if config.get("init"):
        learner.load_weights(Path(config["init"]) / "float.weights.h5")
    fit(learner, task, phase, seed=seed, name="float", out=out, team=team)
    if team.number:
        return

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
    parser.add_argument("--prepared", default="runs/data", help="where training.prepare left its sets")
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
