"""Building blocks of the networks: only layers that survive quantization to full int8.

A network takes natural-log mel power [batch, frames, 128, 1] and returns logits [batch, size].
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras


class WindowMaximum(keras.layers.Layer):  # type: ignore[misc]
    """The largest value of each window: [batch, frames, bands, 1] -> [batch, 1, 1, 1]."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Reduce all but the batch."""
        return tf.reduce_max(x, axis=[1, 2, 3], keepdims=True)


class Difference(keras.layers.Layer):  # type: ignore[misc]
    """First input less the second, which may be one value for all of time or all bands."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        """Subtract."""
        x, other = inputs
        return x - other


class Change(keras.layers.Layer):  # type: ignore[misc]
    """Difference of each frame to that ``by`` frames earlier: [batch, frames, ...] -> [batch, frames - by, ...]."""

    def __init__(self, by: int, **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Look back ``by`` frames."""
        super().__init__(**options)
        self.by = by

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Subtract along time."""
        return x[:, self.by :] - x[:, : -self.by]

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to clone the layer."""
        return {**super().get_config(), "by": self.by}


class Glide(keras.layers.Layer):  # type: ignore[misc]
    """Change along a slope, small where tones glide so: what lies ``later`` on and ``higher`` up less what lies here.

    [batch, frames, 1, places] -> [batch, frames - later, 1, places - 4].
    """

    MARGIN = 2

    def __init__(self, later: int, higher: int, **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Compare ``later`` frames on and ``higher`` (-2..2) places up."""
        super().__init__(**options)
        self.later, self.higher = later, higher

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Subtract along the slope."""
        first, last = self.MARGIN + self.higher, x.shape[3] - self.MARGIN + self.higher
        return x[:, self.later :, :, first:last] - x[:, : -self.later, :, self.MARGIN : -self.MARGIN]

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to clone the layer."""
        return {**super().get_config(), "later": self.later, "higher": self.higher}


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


class Clip(keras.layers.Layer):  # type: ignore[misc]
    """Keep values within ``limit`` of 0."""

    def __init__(self, limit: float, **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Keep -``limit``..``limit``."""
        super().__init__(**options)
        self.limit = limit

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Cut off what is beyond."""
        return tf.clip_by_value(x, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to clone the layer."""
        return {**super().get_config(), "limit": self.limit}


def relative_level(x: tf.Tensor, *, depth: float) -> tf.Tensor:
    """Natural-log mel -> level above ``depth`` below the window's maximum: 0..depth, whatever the gain."""
    below = Difference()([x, WindowMaximum()(x)])
    return Lift(depth)(below)


def convolve(x: tf.Tensor, channels: int, kernel: tuple[int, int], *, strides: tuple[int, int]) -> tf.Tensor:
    """Convolution, batch normalisation and a rectifier."""
    x = keras.layers.Conv2D(channels, kernel, strides=strides, padding="same", use_bias=False)(x)
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
