"""Building blocks of the networks and the genre network itself. Only layers that survive quantization to full int8.

A network takes natural-log mel power [batch, frames, 128, 1] and returns logits [batch, size].
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from typing import Any

import tensorflow as tf
import tf_keras as keras


class WindowMaximum(keras.layers.Layer):  # type: ignore[misc]
    """The largest value of each window: [batch, frames, bands, 1] -> [batch, 1, 1, 1]."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Reduce all but the batch."""
        return tf.reduce_max(x, axis=[1, 2, 3], keepdims=True)


class Below(keras.layers.Layer):  # type: ignore[misc]
    """Level relative to the window's maximum, at most 0. Makes the network blind to gain."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Subtract the second input (a maximum) from the first."""
        x, maximum = inputs
        return x - maximum


class Lift(keras.layers.Layer):  # type: ignore[misc]
    """Lift levels by ``by`` and cut off what is still below 0, so that different noise floors look alike."""

    def __init__(self, by: float, **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Cut ``by`` (natural-log units) below the maximum."""
        super().__init__(**options)
        self.by = by

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Shift and rectify."""
        return tf.nn.relu(x + self.by)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to clone the layer."""
        return {**super().get_config(), "by": self.by}


def relative_level(x: tf.Tensor, *, depth: float) -> tf.Tensor:
    """Natural-log mel -> level above ``depth`` below the window's maximum: 0..depth, whatever the gain."""
    maximum = WindowMaximum(name="maximum")(x)
    below = Below(name="below")([x, maximum])
    return Lift(depth, name="lift")(below)


def convolve(
    x: tf.Tensor,
    channels: int,
    kernel: tuple[int, int],
    *,
    strides: tuple[int, int] = (1, 1),
    activation: str | None = "relu",
) -> tf.Tensor:
    """Convolution, batch normalisation and, unless ``activation`` is None, a rectifier."""
    x = keras.layers.Conv2D(channels, kernel, strides=strides, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU()(x) if activation else x


def residual(x: tf.Tensor, channels: int) -> tf.Tensor:
    """Two 3 x 3 convolutions with a shortcut around them."""
    y = convolve(x, channels, (3, 3))
    y = convolve(y, channels, (3, 3), activation=None)
    return keras.layers.ReLU()(keras.layers.Add()([x, y]))


def genre_net(
    *, frames: int, bands: int, size: int, depth: float, pool: int, channels: list[int], dropout: float
) -> keras.Model:
    """Build the genre network: columns of ``pool`` frames, a small residual network, mean and maximum over time.

    Pooling comes first so that sets with slow columns (FMA-small) and the service's own frames look alike.
    """
    stem, *widths, top = channels
    window = keras.Input((frames, bands, 1), name="window")
    x = relative_level(window, depth=depth)
    x = keras.layers.AveragePooling2D((pool, 1), name="columns")(x)
    x = convolve(x, stem, (3, 7), strides=(1, 4))
    for width in widths:
        x = convolve(x, width, (3, 3), strides=(2, 2))
        x = residual(x, width)
    x = convolve(x, top, (1, x.shape[2]), strides=(1, x.shape[2]))
    mean = keras.layers.AveragePooling2D((x.shape[1], 1), name="mean")(x)
    maximum = keras.layers.MaxPooling2D((x.shape[1], 1), name="peak")(x)
    parts = []
    for pooled in (mean, maximum):
        dropped = keras.layers.Dropout(dropout)(keras.layers.Flatten()(pooled))
        parts.append(keras.layers.Dense(size, dtype="float32")(dropped))
    return keras.Model(window, keras.layers.Add(dtype="float32")(parts))
