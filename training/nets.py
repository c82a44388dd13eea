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


def _summary(x: tf.Tensor, pool: type[keras.layers.Layer], *, bands: int, units: int) -> tf.Tensor:
    """Pool ``x`` [batch, time, bands, channels] over all time and to ``bands`` bands, then weigh every value."""
    pooled = pool((x.shape[1], x.shape[2] // bands))(x)
    weighed = keras.layers.Conv2D(units, (1, bands), use_bias=False)(pooled)
    return keras.layers.BatchNormalization()(weighed)


def genre_net(
    *, frames: int, bands: int, size: int, depth: float, pool: int, channels: list[int], units: int, dropout: float
) -> keras.Model:
    """Build the genre network: convolutions over columns of ``pool`` frames, summed up over time at every scale.

    Pooling comes first so that sets with slow columns (FMA-small) and the service's own frames look alike. What a
    linear model on the mean spectrum and its texture can tell is within reach of the hidden layer from the first step;
    the convolutions add to it.
    """
    window = keras.Input((frames, bands, 1), name="window")
    mean, peak = keras.layers.AveragePooling2D, keras.layers.MaxPooling2D
    level = mean((pool, 1), name="columns")(relative_level(window, depth=depth))
    first = convolve(level, channels[0], (3, 5), strides=(1, 2))
    second = convolve(first, channels[1], (3, 3), strides=(2, 2))
    third = residual(convolve(second, channels[2], (3, 3), strides=(2, 2)), channels[2])
    fourth = convolve(third, channels[3], (3, 3), strides=(1, 2))
    summaries = [
        _summary(level, mean, bands=bands, units=units),
        _summary(level, peak, bands=bands, units=units),
        _summary(first, mean, bands=bands // 4, units=units),
        _summary(second, mean, bands=bands // 8, units=units),
        _summary(fourth, mean, bands=bands // 16, units=units),
        _summary(fourth, peak, bands=bands // 16, units=units),
    ]
    hidden = summaries[0]
    for summary in summaries[1:]:
        hidden = keras.layers.Add()([hidden, summary])
    hidden = keras.layers.Flatten()(keras.layers.ReLU()(hidden))
    hidden = keras.layers.Dropout(dropout)(hidden)
    return keras.Model(window, keras.layers.Dense(size, dtype="float32")(hidden))
