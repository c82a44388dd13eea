"""The tempo network: onset curves -> a bank of oscillators (a learnt tempogram) -> convolutions along the tempo axis.

Both the bank and the BPM bins are logarithmic, 32 an octave, so a faster playback only shifts the picture. A second,
plain branch sees timbre and rhythm as such and adds its opinion of the octave. Input [batch, frames, 128, 1] of
natural-log mel power at 12.5 frames a second; output [batch, 108] logits over `BPM_BINS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras
from tf_keras import layers

from training.nets.blocks import relative_level
from training.tempo.grid import BANK_BPM, BPM_BINS, FRAMES, FRAMES_PER_SECOND, MARGIN

if TYPE_CHECKING:
    import tensorflow as tf

    from stream_analyzer.types import F32

PHASES = 3  # rectified and summed, three phases give the magnitude to within 7 %
DEPTH = 10.0  # nepers of power below the window's maximum that the network sees


def oscillators(length: int) -> F32:
    """Return kernels [length, 1, 1, phases * tempi]: windowed cosines at every tempo of the bank, without DC."""
    time_s = (np.arange(length) - (length - 1) / 2.0) / FRAMES_PER_SECOND
    taper = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    phase = 2.0 * np.pi * np.arange(PHASES)[:, None] / PHASES
    turns = 2.0 * np.pi * time_s[:, None, None] * (BANK_BPM / 60.0)
    kernels = np.cos(turns + phase) * taper[:, None, None]
    kernels -= taper[:, None, None] * kernels.sum(axis=0) / taper.sum()
    kernels /= np.sqrt((kernels**2).sum(axis=0))
    return kernels.reshape(length, 1, 1, -1).astype(np.float32)


def _conv(x: tf.Tensor, filters: int, kernel: tuple[int, int], **options: object) -> tf.Tensor:
    x = layers.Conv2D(filters, kernel, use_bias=False, **options)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _separable(x: tf.Tensor, filters: int, kernel: tuple[int, int], strides: tuple[int, int]) -> tf.Tensor:
    # Depthwise strides must be equal in TFLite: the pooling before takes the smaller part.
    if strides != (1, 1):
        x = layers.AveragePooling2D(strides)(x)
    x = layers.DepthwiseConv2D(kernel, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return _conv(x, filters, (1, 1))


def _tempogram(curves: tf.Tensor, *, length: int, hop: int, last: int, width: int, name: str) -> tf.Tensor:
    """Return [batch, 1, tempi, width]: magnitudes of the oscillators over the ``last`` frames, mixed over time."""
    frames, count = int(curves.shape[1]), int(curves.shape[2])
    if last < frames:
        curves = layers.Cropping2D(((frames - last, 0), (0, 0)))(curves)
    bank = layers.Conv2D(
        PHASES * len(BANK_BPM),
        (length, 1),
        strides=(hop, 1),
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(oscillators(length)),
        activation="relu",
        name=name,
    )(curves)
    rows = int(bank.shape[1]) * count
    magnitude = layers.AveragePooling2D((1, PHASES))(layers.Reshape((rows, PHASES, len(BANK_BPM)))(bank))
    mixed = layers.Conv2D(width, (rows, 1), use_bias=False)(layers.Reshape((rows, len(BANK_BPM), 1))(magnitude))
    return layers.BatchNormalization()(mixed)


def build(*, curves: int = 16, width: int = 48, dropout: float = 0.2) -> keras.Model:
    """Return the network with fresh weights."""
    window = layers.Input((FRAMES, 128, 1))
    x = relative_level(window, depth=DEPTH)
    x = _conv(x, 16, (3, 6), strides=(1, 4), padding="same")
    x = _separable(x, 24, (3, 3), (1, 2))
    bands = _separable(x, 32, (3, 3), (1, 2))

    onsets = _conv(bands, curves, (1, int(bands.shape[2])))
    onsets = layers.Reshape((FRAMES, curves, 1))(onsets)
    long = _tempogram(onsets, length=96, hop=9, last=FRAMES, width=width, name="long_bank")
    short = _tempogram(onsets, length=48, hop=12, last=96, width=width, name="short_bank")
    h = layers.ReLU()(layers.Add()([long, short]))
    for dilation in (1, 16, 1, 16):
        skip = h
        h = layers.Conv2D(width, (1, 5), dilation_rate=(1, dilation), padding="same", use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization()(h))
        h = layers.Add()([skip, h])
    h = layers.Dropout(dropout)(h)
    likelihood = layers.Flatten()(layers.Conv2D(1, (1, 2 * MARGIN + 1))(h))

    y = _conv(bands, width, (1, int(bands.shape[2])))
    for filters in (width, 64, 64):
        y = _separable(layers.AveragePooling2D((2, 1))(y), filters, (9, 1), (1, 1))
    y = layers.Flatten()(layers.AveragePooling2D((int(y.shape[1]), 1))(y))
    y = layers.Dropout(dropout)(layers.Dense(64, activation="relu")(y))
    prior = layers.Dense(len(BPM_BINS))(y)
    return keras.Model(window, layers.Add()([likelihood, prior]))
