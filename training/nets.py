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
