"""The key network: one pair of profiles over six octaves, laid on the sound as heard from each of the twelve tonics.

What makes a key is the same for all of them, so that 144 weights learn from every key at once. Input [batch, 12, 72, 1]
of `profile.turned`; output [batch, 25] logits: major and minor by tonic, and no clear key.
"""

from __future__ import annotations

import tf_keras as keras
from tf_keras import layers

from stream_analyzer.analysis.pitches import PITCHES, SEMITONES
from training.nets.blocks import Join

VIEWS = 4  # what tells sound that has no key: the strongest answers to so many more profiles


def build(*, shrink: float) -> keras.Model:
    """Return the network with fresh weights; ``shrink`` holds the profiles small."""
    seen = layers.Input((SEMITONES, PITCHES.semitones, 1))
    modes = [_profile(seen, 1, shrink=shrink) for _ in ("major", "minor")]
    views = layers.ReLU()(_profile(seen, VIEWS, shrink=shrink))
    strongest = layers.Flatten()(layers.MaxPooling2D((SEMITONES, 1))(views))
    none = layers.Dense(1)(strongest)
    return keras.Model(seen, Join()([*(layers.Flatten()(mode) for mode in modes), none]))


def _profile(seen: keras.KerasTensor, count: int, *, shrink: float) -> keras.KerasTensor:
    return layers.Conv2D(
        count,
        (1, PITCHES.semitones),
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.03),
        kernel_regularizer=keras.regularizers.L2(shrink),
    )(seen)
