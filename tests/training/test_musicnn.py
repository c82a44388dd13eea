"""musicnn without its dead filters gives the values of the whole network, layer by layer as it was published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf

from training.genre import musicnn

if TYPE_CHECKING:
    from stream_analyzer.types import F32

pytestmark = pytest.mark.train

SHAPES = {
    "conv2d": (7, 38, 1, 6), "conv2d_1": (7, 67, 1, 5), "conv2d_2": (128, 1, 1, 3), "conv2d_3": (64, 1, 1, 3),
    "conv2d_4": (32, 1, 1, 3), "conv2d_5": (7, 20, 1, 8), "conv2d_6": (7, 8, 1, 8), "conv2d_7": (7, 8, 1, 8),
}  # fmt: skip
POOLED = 20 + 3 * 8


def random_weights(rng: np.random.Generator) -> musicnn.Weights:
    weights: dict[str, F32] = {}

    def normalised(index: int, size: int, *, dead: bool = False) -> None:
        prefix = f"batch_normalization_{index}" if index else "batch_normalization"
        gamma = rng.normal(0.5, 0.8, size)  # some below zero: their rectifier becomes an upper limit
        parts = {"gamma": gamma, "beta": rng.normal(0.0, 0.3, size), "moving_mean": rng.normal(0.0, 0.3, size)}
        variance = rng.uniform(0.5, 1.5, size)
        if dead:
            variance[::2], parts["beta"][::2] = 0.0, parts["moving_mean"][::2] * 0.0
            weights[f"{list(SHAPES)[index - 1]}/kernel"][..., ::2] = 0.0
            parts["moving_mean"][::2] = np.maximum(weights[f"{list(SHAPES)[index - 1]}/bias"][::2], 0.0)
        weights.update({f"{prefix}/{name}": np.asarray(value, np.float32) for name, value in parts.items()})
        weights[f"{prefix}/moving_variance"] = np.asarray(variance, np.float32)

    normalised(0, 1)
    for index, (name, shape) in enumerate(SHAPES.items(), start=1):
        size = shape[-1]
        weights[f"{name}/kernel"] = rng.normal(0.0, 1.0 / np.sqrt(np.prod(shape[:3])), shape).astype(np.float32)
        weights[f"{name}/bias"] = rng.normal(0.0, 0.3, size).astype(np.float32)
        normalised(index, size, dead=index <= 5)
    normalised(9, 2 * POOLED)
    weights["dense/kernel"] = rng.normal(0.0, 0.1, (2 * POOLED, 200)).astype(np.float32)
    weights["dense/bias"] = rng.normal(0.0, 0.1, 200).astype(np.float32)
    normalised(10, 200)
    weights["dense_1/kernel"] = rng.normal(0.0, 0.1, (200, 50)).astype(np.float32)
    weights["dense_1/bias"] = rng.normal(0.0, 0.1, 50).astype(np.float32)
    return weights


def _published(weights: musicnn.Weights, picture: F32) -> F32:
    """Return the embedding before its normalisation, computed as musicnn's models.py writes it down."""

    def normalise(x: tf.Tensor, index: int) -> tf.Tensor:
        scale, shift = musicnn.normalisation(weights, index)
        return x * scale + shift

    def convolve(x: tf.Tensor, name: str, padding: str) -> tf.Tensor:
        return tf.nn.relu(tf.nn.conv2d(x, weights[f"{name}/kernel"], 1, padding) + weights[f"{name}/bias"])

    def pad(x: tf.Tensor) -> tf.Tensor:
        return tf.pad(x, [[0, 0], [3, 3], [0, 0], [0, 0]])

    x = normalise(picture, 0)
    front = [normalise(convolve(pad(x), name, "VALID"), i) for i, name in ((1, "conv2d"), (2, "conv2d_1"))]
    front += [normalise(convolve(x, f"conv2d_{i - 1}", "SAME"), i) for i in (3, 4, 5)]
    stacked = tf.concat([tf.reduce_max(y, axis=2) for y in front], 2)[..., None]
    sums = [stacked]
    y = stacked
    for index in (6, 7, 8):
        z = normalise(convolve(pad(y), f"conv2d_{index - 1}", "VALID"), index)
        z = tf.transpose(z, [0, 1, 3, 2])
        y = z if index == 6 else z + y
        sums.append(y)
    features = tf.concat(sums, 2)
    pooled = tf.concat([tf.reduce_max(features, axis=1), tf.reduce_mean(features, axis=1)], 2)
    flat = normalise(tf.reshape(pooled, [len(picture), -1]), 9)
    return np.asarray(tf.nn.relu(flat @ weights["dense/kernel"] + weights["dense/bias"]))


def test_compact_network_equals_the_published_one() -> None:
    rng = np.random.default_rng(0)
    weights = random_weights(rng)
    parts = musicnn.compact(weights)
    picture = rng.uniform(0.0, 4.0, (2, musicnn.FRAMES, musicnn.BANDS, 1)).astype(np.float32)

    embedding = musicnn.build(parts).predict(picture, verbose=0)

    assert [len(part.bias) for part in parts.front] == [3, 2, 1, 1, 1]
    assert np.ptp(embedding) > 0.1
    np.testing.assert_allclose(embedding, _published(weights, picture), atol=2e-4)
