"""Teach musicnn to hear through rooms: what is behind its front end learns to say of changed music what it said of it.

No labels are needed, so music that is scored nowhere does: a folder of free game music. The front end stays as it is,
and its outputs are kept, so that a step costs little.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras

from training.genre.sound_pictures import excerpts, pictures, versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from stream_analyzer.types import F32
    from training.genre.musicnn import Compact

    F16 = npt.NDArray[np.float16]

log = logging.getLogger(__name__)

CHUNK = 256  # pictures that are computed at a time


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """``excerpts`` of each file, then ``passes`` over three versions of them; ``tags`` weighs the tags' errors."""

    excerpts: int = 4
    passes: float = 8.0
    batch: int = 64
    rate: float = 5e-4
    tags: float = 0.5
    average: float = 0.995
    average_from: float = 0.6


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the front end gives of three versions of each window, and the embedding of the first as it was at first.

    ``fronts`` is float16 [3, windows, 187, channels], ``embedding`` float32 [windows, 200].
    """

    fronts: F16
    embedding: F32


def listen(network: keras.Model, folder: Path, *, most: int, seed: int) -> Lesson:
    """Return the lesson that the music in ``folder`` gives, ``most`` excerpts of each file."""
    both = keras.Model(network.input, [network.get_layer("front_limits").output, network.output])
    waiting: list[F32] = []
    fronts, embeddings = [], []

    def compute() -> None:
        seen = np.stack(waiting, axis=1)  # version, window, frame, band
        waiting.clear()
        given = [both.predict(version[..., None], batch_size=16, verbose=0) for version in seen]
        fronts.append(np.stack([front[:, :, 0] for front, _ in given]).astype(np.float16))
        embeddings.append(given[0][1])

    rng = np.random.default_rng(seed)
    for number, sound in excerpts(folder, most=most, seed=seed):
        heard = [pictures(version) for version in versions(sound, rng)]
        windows = min(len(version) for version in heard)
        waiting.extend(np.stack([version[index] for version in heard]) for index in range(windows))
        if len(waiting) >= CHUNK:
            compute()
            log.info("file %s, %s windows", number, sum(len(part) for part in embeddings))
    if waiting:
        compute()
    return Lesson(np.concatenate(fronts, axis=1), np.concatenate(embeddings))


def teach(network: keras.Model, parts: Compact, lesson: Lesson, *, config: StudentConfig, seed: int) -> None:
    """Train what is behind the front end of ``network`` on ``lesson``; it ends with an average of its last weights."""
    behind = keras.Model(network.get_layer("front_limits").output, network.output)
    versions_, windows = lesson.fronts.shape[:2]
    steps = int(config.passes * versions_ * windows / config.batch)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(config.rate, steps))
    loss = _loss(parts, lesson.embedding, tags=config.tags)

    @tf.function  # type: ignore[untyped-decorator]
    def step(front: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(behind(front[:, :, None], training=True), wanted)
        optimizer.apply_gradients(
            zip(tape.gradient(value, behind.trainable_variables), behind.trainable_variables, strict=True)
        )
        return value

    rng, mean, average = np.random.default_rng(seed), 0.0, behind.get_weights()
    for number in range(steps):
        rows, version = rng.integers(windows, size=config.batch), rng.integers(versions_, size=config.batch)
        value = float(step(lesson.fronts[version, rows].astype(np.float32), lesson.embedding[rows]))
        mean = value if number == 0 else 0.98 * mean + 0.02 * value
        keep = config.average if number > config.average_from * steps else 0.0
        if keep or number % 50 == 0:
            average = [keep * old + (1.0 - keep) * new for old, new in zip(average, behind.get_weights(), strict=True)]
        if number % 500 == 0:
            log.info("step %s of %s, loss %.4f", number, steps, mean)
    behind.set_weights(average)


def _loss(parts: Compact, embedding: F32, *, tags: float) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return the loss of embeddings found and wanted: squared errors of normalised values and standardised tags."""
    scale, kernel = (np.asarray(values, np.float32) for values in (parts.embedding[0], parts.tags[0]))
    deviation = np.asarray(((embedding * scale) @ kernel).std(axis=0), np.float32)

    def loss(found: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
        error = (found - wanted) * scale
        return tf.reduce_mean(error**2) + tags * tf.reduce_mean(((error @ kernel) / deviation) ** 2)

    return loss
