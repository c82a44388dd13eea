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


class Round(keras.layers.Layer):  # type: ignore[misc]
    """The first rows once more after the last, for a kernel that goes round.

    [batch, rows, ...] -> [batch, rows + more, ...].
    """

    def __init__(self, more: int, **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Repeat the first ``more`` rows."""
        super().__init__(**options)
        self.more = more

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Append the first rows."""
        return tf.concat([x, x[:, : self.more]], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to clone the layer."""
        return {**super().get_config(), "more": self.more}


class Average(keras.layers.Layer):  # type: ignore[misc]
    """The mean over the third axis, [batch, rows, columns, n] -> [batch, rows, 1, n], by a range of its own.

    Keras' pooling has to keep that of its input.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Average."""
        return tf.reduce_mean(x, axis=2, keepdims=True)


class OneOf(keras.layers.Layer):  # type: ignore[misc]
    """A weighted mean of answers [batch, n]; in training one of them, drawn for each window, that learns alone."""

    def __init__(self, shares: list[float], **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Let each answer count by one of ``shares``, which add up to 1; in an int8 model this sum alone is float."""
        super().__init__(**options)
        self.shares = shares

    def call(self, inputs: list[tf.Tensor], training: bool | None = None) -> tf.Tensor:  # noqa: FBT001 - Keras asks so
        """Average, or draw."""
        if not training:
            return tf.add_n([weight * one for weight, one in zip(self.shares, inputs, strict=True)])
        drawn = tf.random.uniform([tf.shape(inputs[0])[0]], maxval=len(inputs), dtype=tf.int32)
        return tf.gather(tf.stack(inputs, axis=1), drawn, axis=1, batch_dims=1)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to clone the layer."""
        return {**super().get_config(), "shares": self.shares}


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
