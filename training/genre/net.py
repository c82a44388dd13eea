"""The genre network: a description of the window by textbook filters, a linear model and a hidden layer on it.

Natural-log mel power [batch, frames, 128, 1] -> logits [batch, size]: genres, sub-genres, music.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras

from training.data.genres import KNOWN, LABELS
from training.genre import textures
from training.nets.blocks import Change, Clip, Difference, Glide, Join, relative_level

if TYPE_CHECKING:
    import tensorflow as tf

    from stream_analyzer.types import F32

# The labels that GTZAN alone knows, and those that both sets know, each by its own idea of them.
OWN = [index for index, label in enumerate(LABELS) if label in KNOWN["gtzan"] and label not in KNOWN["fma-small"]]
SHARED = [index for index, label in enumerate(LABELS) if label in KNOWN["gtzan"] and label in KNOWN["fma-small"]]
STANDARD_DEVIATIONS = 4.0
SMALLEST_DEVIATION = 1e-4


def _centred(x: tf.Tensor) -> tf.Tensor:
    """Subtract the mean over time."""
    return Difference()([x, keras.layers.AveragePooling2D((x.shape[1], 1))(x)])


def _mean(x: tf.Tensor, *, pool: int = 1) -> tf.Tensor:
    """Mean over time, then of ``pool`` neighbours: [batch, time, bands, channels] -> [batch, 1, 1, values]."""
    mean = keras.layers.AveragePooling2D((x.shape[1], 1))(x)
    if pool > 1:
        mean = keras.layers.AveragePooling2D((1, pool))(
            keras.layers.Reshape((1, mean.shape[2] * mean.shape[3], 1))(mean)
        )
    return keras.layers.Reshape((1, 1, mean.shape[2] * mean.shape[3]))(mean)


def _standardised(x: tf.Tensor) -> tf.Tensor:
    """Scale and shift each value by what `standardise` finds; neither learns."""
    return keras.layers.DepthwiseConv2D((1, 1), depthwise_initializer="ones", trainable=False)(x)


def _bank(x: tf.Tensor, kernel: F32) -> tf.Tensor:
    """Filter ``x`` by ``kernel`` [height, width, in, out], which does not learn."""
    return keras.layers.Conv2D(
        kernel.shape[-1],
        kernel.shape[:2],
        kernel_initializer=keras.initializers.Constant(kernel),
        use_bias=False,
        trainable=False,
    )(x)


def _positive(x: tf.Tensor) -> tf.Tensor:
    """Keep what is above 0. Its mean is half of the mean magnitude, as the mean of all that is asked for is about 0."""
    return keras.layers.ReLU()(x)


def _beating(x: tf.Tensor) -> tf.Tensor:
    """Filter [batch, time, 1, values] at each modulation rate: [batch, every third frame, values, rates].

    One product with the filters at all their places, which is many times faster than a convolution of one channel.
    """
    values, rates = x.shape[3], len(textures.RATES_HZ)
    filtered = _bank(keras.layers.Permute((2, 3, 1))(_centred(x)), textures.modulation_bank(x.shape[1]))
    return keras.layers.Permute((2, 1, 3))(keras.layers.Reshape((values, filtered.shape[-1] // rates, rates))(filtered))


def texture(level: tf.Tensor) -> tf.Tensor:
    """Describe how ``level`` [batch, frames, bands, 1] looks and moves, by statistics over the whole window.

    Cepstra (McDermott and Davis 1980) and how much they vary: alone, from frame to frame, over four frames, and in
    pairs, which stands for their covariance. Ripples over frequency, which tones with partials make, in 16 regions: how
    strong, how much they vary, how strong those are that last, and how they glide. The modulation spectrum of bands,
    cepstra and ripples: how strongly they beat at each of nine rates. All are mean magnitudes of linear filters (a
    scattering transform, Andén and Mallat 2014), so that they survive int8. Output: [batch, 1, 1, values].
    """
    bands = level.shape[2]
    cepstra = _bank(level, textures.cosines(bands, 0, textures.CEPSTRA))
    fine = _bank(level, textures.cosines(bands, textures.CEPSTRA, bands))
    moving = _centred(cepstra)
    regions, ripple = textures.regions(bands), textures.ripples(bands)
    ripples = _bank(_positive(_bank(level, ripple)), regions)
    lasting = _bank(_positive(_bank(keras.layers.AveragePooling2D((4, 1))(level), ripple)), regions)
    partials = _bank(level, textures.ripples(bands, (4.0,), step=2)[..., ::2])
    glides = [_positive(Glide(later, higher)(partials)) for later in (1, 3) for higher in (-1, 0, 1)]
    coarse = _bank(level, textures.neighbours(bands))
    beating = [_beating(x) for x in (coarse, cepstra, ripples)]
    moves = [moving, _centred(fine), _centred(ripples), _bank(moving, textures.pairs()), *beating]
    moves += [Change(by)(x) for x in (cepstra, fine, ripples) for by in (1, 4)]
    statistics = [_mean(x) for x in (cepstra, ripples, lasting, *(_positive(x) for x in moves))]
    statistics += [_mean(x, pool=4) for x in glides]
    return Clip(STANDARD_DEVIATIONS)(Join()([_standardised(x) for x in statistics]))


def standardise(model: keras.Model, windows: F32) -> None:
    """Set the scale and offset of each statistic of the window to make its mean 0 and its deviation 1.

    Parameters
    ----------
    model
        A `genre_net`.
    windows
        Training windows, float32 [batch, frames, bands].
    """
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    found = keras.Model(model.input, [layer.input for layer in layers]).predict(windows[..., None], verbose=0)
    for layer, values in zip(layers, found, strict=True):
        deviation = values.std(axis=0)[0, 0] + SMALLEST_DEVIATION
        layer.set_weights([(1.0 / deviation)[None, None, :, None], -values.mean(axis=0)[0, 0] / deviation])


def _placed(rows: list[int], size: int) -> F32:
    """Return the kernel that puts channel k into channel rows[k] of ``size``, float32 [1, 1, rows, size]."""
    return np.eye(size, dtype=np.float32)[None, None, rows]


def genre_net(
    *, frames: int, bands: int, size: int, depth: float, units: int, dropout: float, shrink: float, own_shrink: float
) -> keras.Model:
    """Build the genre network.

    FMA-small has clips enough for a hidden layer of ``units``, GTZAN has not: its labels are linear in the description,
    with weights that ``own_shrink`` pulls to 0. What both sets know ("Pop") they mean differently, so each has weights
    of its own and the larger logit counts.
    """
    window = keras.Input((frames, bands, 1), name="window")
    described = texture(relative_level(window, depth=depth))
    looks = keras.layers.Dropout(0.2)(described)
    hidden = keras.layers.BatchNormalization()(keras.layers.Conv2D(units, (1, 1), use_bias=False)(looks))
    hidden = keras.layers.Dropout(dropout)(keras.layers.ReLU()(hidden))
    rest = [index for index in range(size) if index not in OWN]
    weighed = _bank(keras.layers.Conv2D(len(rest), (1, 1))(hidden), _placed(rest, size))
    linear = keras.layers.Conv2D(size, (1, 1), kernel_regularizer=keras.regularizers.L2(shrink))(looks)
    known = keras.layers.Add()([linear, weighed])
    own, shared = (
        keras.layers.Conv2D(len(rows), (1, 1), kernel_regularizer=keras.regularizers.L2(own_shrink))(described)
        for rows in (OWN, SHARED)
    )
    more = keras.layers.ReLU()(Difference()([shared, _bank(known, _placed(SHARED, size).transpose(0, 1, 3, 2))]))
    logits = keras.layers.Add()([known, _bank(own, _placed(OWN, size))])
    logits = keras.layers.Add()([logits, _bank(more, _placed(SHARED, size))])
    return keras.Model(window, keras.layers.Flatten(dtype="float32")(logits))
