"""The beat network: convolutions over frequency, then causal convolutions over ever longer time (a TCN).

Whole: [batch, frames, 128, 1] of levels as `RunningLevel` makes them -> [batch, frames, 2] logits of a beat and of a
downbeat, silence before. Streaming, for export: a block of frames and the past of each layer in, logits and the new
past out; the same weights in the same order. After Boeck and Davies, ISMIR 2020, but causal and smaller.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

TAPS = 5
OUTPUTS = 2
KERNEL = 3  # frames, of the convolutions over frequency

# Puts the past, so many frames, before a layer's input.
Past = "Callable[[tf.Tensor, int], tf.Tensor]"


class Taps(layers.Layer):  # type: ignore[misc]
    """Frames ``dilation`` apart side by side: [batch, n + 4 * dilation, 1, c] -> [batch, n, 1, 5 * c]."""

    def __init__(self, dilation: int, **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Take every ``dilation``-th frame."""
        super().__init__(**options)
        self.dilation = dilation

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Join five slices."""
        last = (TAPS - 1) * self.dilation
        ends = [None if tap * self.dilation == last else tap * self.dilation - last for tap in range(TAPS)]
        return tf.concat([x[:, tap * self.dilation : end] for tap, end in enumerate(ends)], axis=-1)


def build(*, width: int, blocks: int, dropout: float) -> keras.Model:
    """Return the whole network with fresh weights."""
    levels = layers.Input((None, 128, 1))
    logits = _network(levels, _silent, width=width, blocks=blocks, dropout=dropout)
    return keras.Model(levels, logits)


def build_streaming(*, width: int, blocks: int, block: int) -> keras.Model:
    """Return the network that takes ``block`` frames and the past of each layer: inputs and outputs are lists."""
    levels = layers.Input((block, 128, 1), batch_size=1, name="levels")
    before: list[tf.Tensor] = []
    after: list[tf.Tensor] = []

    def keep(x: tf.Tensor, frames: int) -> tf.Tensor:
        past = layers.Input((frames, *x.shape[2:]), batch_size=1, name=f"past_{len(before)}")
        joined = tf.concat([past, x], axis=1)
        before.append(past)
        after.append(joined[:, -frames:])
        return joined

    logits = _network(levels, keep, width=width, blocks=blocks, dropout=0.0)
    return keras.Model([levels, *before], [layers.Reshape((block * OUTPUTS,))(logits), *after])


def _silent(x: tf.Tensor, frames: int) -> tf.Tensor:
    return layers.ZeroPadding2D(((frames, 0), (0, 0)))(x)


def _network(levels: tf.Tensor, past: Any, *, width: int, blocks: int, dropout: float) -> tf.Tensor:  # noqa: ANN401
    x = _convolve(past(levels, KERNEL - 1), 16, (KERNEL, 6), (1, 4))
    x = _convolve(past(x, KERNEL - 1), 24, (KERNEL, 4), (1, 2))
    x = _convolve(x, width, (1, int(x.shape[2])), (1, 1))
    for index in range(blocks):
        h = Taps(2**index)(past(x, (TAPS - 1) * 2**index))
        h = _convolve(h, width, (1, 1), (1, 1))
        h = layers.SpatialDropout2D(dropout)(h) if dropout else h
        x = layers.Add()([x, layers.Conv2D(width, (1, 1))(h)])
    logits = layers.Conv2D(OUTPUTS, (1, 1), dtype="float32")(layers.ReLU()(x))
    return layers.Reshape((-1, OUTPUTS), dtype="float32")(logits)


def _convolve(x: tf.Tensor, channels: int, kernel: tuple[int, int], strides: tuple[int, int]) -> tf.Tensor:
    x = layers.Conv2D(channels, kernel, strides=strides, padding="valid", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))
