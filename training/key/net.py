"""The key network: several judges who are taught apart and heard together, of what is seen from each tonic.

What makes a key is the same for all of them, so that few weights learn from every key at once. One judge lays a profile
of semitones, chords, basses and moves on the sound: real music, of which there is little, teaches it best. The others
learn their own chords from the steps one by one, and what comes within three of them: generated songs teach them
harmony. Input [batch, 12, columns, 1] of `chords.Heard.seen`; output [batch, 25] logits: major and minor by tonic, and
no clear key.
"""

from __future__ import annotations

from dataclasses import dataclass

import tf_keras as keras
from tf_keras import layers

from stream_analyzer.analysis.key.chords import COLUMNS, OF_ALL, STEPS
from stream_analyzer.analysis.pitches import PITCHES, SEMITONES
from training.nets.blocks import Average, Join, OneOf, Round

VIEWS = 4  # what tells sound that has no key: the strongest answers to so many more profiles
IN_A_ROW = 3  # steps that an order of chords spans


@dataclass(frozen=True, slots=True)
class Shape:
    """How many judges hear steps, how large each is, the share of it that rests in training, what shrinks weights."""

    judges: int
    chords: int
    orders: int
    rest: float
    shrink: float
    shrink_orders: float


def build(shape: Shape) -> keras.Model:
    """Return the network with fresh weights."""
    seen = layers.Input((SEMITONES, COLUMNS, 1))
    judges = [_of_all(seen, shape), *(_of_order(seen, shape) for _ in range(shape.judges))]
    return keras.Model(seen, OneOf([0.5, *[0.5 / shape.judges] * shape.judges])(judges))


def _of_all(seen: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    x = layers.Cropping2D(((0, 0), (0, COLUMNS - OF_ALL)))(seen)
    modes = [_profile(x, 1, shrink=shape.shrink) for _ in ("major", "minor")]
    views = layers.ReLU()(_profile(x, VIEWS, shrink=shape.shrink))
    return _logits(modes, views)


def _profile(x: keras.KerasTensor, count: int, *, shrink: float) -> keras.KerasTensor:
    return layers.Conv2D(
        count,
        (1, x.shape[2]),
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.03),
        kernel_regularizer=keras.regularizers.L2(shrink),
    )(x)


def _of_order(seen: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    held = {"kernel_regularizer": keras.regularizers.L2(shape.shrink_orders)}
    steps = layers.Cropping2D(((0, 0), (OF_ALL, 0)))(seen)
    steps = layers.Reshape((SEMITONES, STEPS, PITCHES.semitones))(steps)
    chords = layers.ReLU()(layers.Conv2D(shape.chords, 1, **held)(steps))  # on each root
    chords = layers.SpatialDropout2D(shape.rest)(Round(SEMITONES - 1)(chords))
    orders = layers.ReLU()(layers.Conv2D(shape.orders, (SEMITONES, IN_A_ROW), **held)(chords))  # from each tonic
    means = [Average()(x) for x in (steps, orders)]
    most = layers.MaxPooling2D((1, orders.shape[2]))(orders)
    told = layers.Dropout(shape.rest)(Join()([*means, most]))
    return _logits([layers.Conv2D(1, 1, **held)(told) for _ in ("major", "minor")], told)


def _logits(modes: list[keras.KerasTensor], views: keras.KerasTensor) -> keras.KerasTensor:
    """Return modes [batch, 12, 1, 1] and what the strongest of the views [batch, 12, 1, n] say of no key as logits."""
    strongest = layers.Flatten()(layers.MaxPooling2D((SEMITONES, 1))(views))
    return Join()([*(layers.Flatten()(mode) for mode in modes), layers.Dense(1)(strongest)])
