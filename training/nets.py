"""Building blocks of the networks and the genre network itself. Only layers that survive quantization to full int8.

A network takes natural-log mel power [batch, frames, 128, 1] and returns logits [batch, size].
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tf_keras as keras

from training import textures

if TYPE_CHECKING:
    from stream_analyzer.types import F32


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


class Change(keras.layers.Layer):  # type: ignore[misc]
    """Difference of each frame to the one before: [batch, frames, ...] -> [batch, frames - 1, ...]."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Subtract along time."""
        return x[:, 1:] - x[:, :-1]


class Magnitude(keras.layers.Layer):  # type: ignore[misc]
    """Absolute value."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Drop the sign."""
        return tf.abs(x)


class Join(keras.layers.Layer):  # type: ignore[misc]
    """Channels of several inputs one after another. Keras' own is given its inputs in another order by tfmot."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Concatenate along the last axis."""
        return tf.concat(inputs, axis=-1)


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
    maximum = WindowMaximum()(x)
    below = Below()([x, maximum])
    return Lift(depth)(below)


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


def _fixed(kernel: F32) -> dict[str, Any]:
    """Return the options of a convolution that begins as ``kernel`` [height, width, in, out]."""
    return {"kernel_initializer": keras.initializers.Constant(kernel), "use_bias": False}


def _centred(x: tf.Tensor) -> tf.Tensor:
    """Subtract the mean over time."""
    return Below()([x, keras.layers.AveragePooling2D((x.shape[1], 1))(x)])


def _standardised(x: tf.Tensor) -> tf.Tensor:
    """Mean over time, each value to unit spread: [batch, time, bands, channels] -> [batch, 1, 1, bands * channels]."""
    mean = keras.layers.AveragePooling2D((x.shape[1], 1))(x)
    flat = keras.layers.Reshape((1, 1, mean.shape[2] * mean.shape[3]))(mean)
    scaled = keras.layers.DepthwiseConv2D((1, 1), depthwise_initializer="ones", use_bias=False)(flat)
    return keras.layers.BatchNormalization(scale=False, center=False)(scaled)


def texture(level: tf.Tensor) -> tf.Tensor:
    """Describe how ``level`` [batch, frames, bands, 1] looks and moves, by statistics over the whole window.

    Cepstra (McDermott and Davis 1980) and how much they vary, alone, from frame to frame and in pairs, which stands for
    their covariance; and the modulation spectrum of bands and cepstra: how strongly they beat at each of nine rates.
    All are means of magnitudes of linear filters (a scattering transform, Andén and Mallat 2014), so that they survive
    int8; the filters begin as textbook ones and may learn. Output: [batch, 1, 1, values].
    """
    frames, bands = level.shape[1], level.shape[2]
    cepstra = keras.layers.Conv2D(textures.CEPSTRA, (1, bands), **_fixed(textures.cosines(bands)))(level)
    moving = _centred(cepstra)
    pairs = keras.layers.Conv2D(2 * textures.PAIRS, (1, 1), **_fixed(textures.pairs()))(moving)
    filters = textures.modulation_filters()
    coarse = _centred(keras.layers.AveragePooling2D((1, 4))(level))
    shapes = keras.layers.Reshape((frames, textures.CEPSTRA, 1))(moving)
    beating = [
        keras.layers.Conv2D(filters.shape[-1], filters.shape[:2], padding="same", **_fixed(filters))(x)
        for x in (coarse, shapes)
    ]
    moves = [Magnitude()(x) for x in (moving, Change()(cepstra), pairs, *beating)]
    return Join()([_standardised(x) for x in (cepstra, *moves)])


def _sum(layers: list[tf.Tensor]) -> tf.Tensor:
    total = layers[0]
    for layer in layers[1:]:
        total = keras.layers.Add()([total, layer])
    return total


def genre_net(
    *,
    frames: int,
    bands: int,
    size: int,
    depth: float,
    pool: int,
    channels: list[int],
    units: int,
    dropout: float,
    shrink: float,
) -> keras.Model:
    """Build the genre network: a linear model on the texture of the window, and convolutions that add to it.

    The texture sees all 12.5 frames a second; the convolutions see columns of ``pool`` frames, so that sets with slow
    columns (FMA-small) and the service's own frames look alike to them. The linear part, whose weights ``shrink`` pulls
    to 0, learns from few clips, and half of the time alone: the convolutions would learn those by heart and leave it
    nothing to learn. It has a second, rectified weight a label, because two sets mean different music by "Pop".
    """
    window = keras.Input((frames, bands, 1), name="window")
    mean, peak = keras.layers.AveragePooling2D, keras.layers.MaxPooling2D
    level = relative_level(window, depth=depth)
    looks = keras.layers.Dropout(0.2)(texture(level))
    columns = mean((pool, 1), name="columns")(level)
    first = convolve(columns, channels[0], (3, 5), strides=(1, 2))
    second = convolve(first, channels[1], (3, 3), strides=(2, 2))
    third = residual(convolve(second, channels[2], (3, 3), strides=(2, 2)), channels[2])
    fourth = convolve(third, channels[3], (3, 3), strides=(1, 2))
    summaries = [
        _summary(columns, mean, bands=bands, units=units),
        _summary(columns, peak, bands=bands, units=units),
        _summary(first, mean, bands=bands // 4, units=units),
        _summary(second, mean, bands=bands // 8, units=units),
        _summary(fourth, mean, bands=bands // 16, units=units),
        _summary(fourth, peak, bands=bands // 16, units=units),
    ]
    glance = keras.layers.BatchNormalization()(keras.layers.Conv2D(units, (1, 1), use_bias=False)(looks))
    hidden = keras.layers.Dropout(dropout)(keras.layers.ReLU()(_sum([*summaries, glance])))
    linear, other = (
        keras.layers.Conv2D(size, (1, 1), kernel_regularizer=keras.regularizers.L2(shrink))(looks) for _ in range(2)
    )
    weighed = keras.layers.Dropout(0.5, noise_shape=(None, 1, 1, 1))(keras.layers.Conv2D(size, (1, 1))(hidden))
    logits = _sum([weighed, linear, keras.layers.ReLU()(other)])
    return keras.Model(window, keras.layers.Flatten(dtype="float32")(logits))
