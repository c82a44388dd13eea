"""The key network: one pair of profiles of semitones, chords, basses and moves, laid on the sound from each tonic.

What makes a key is the same for all of them, so that 408 weights learn from every key at once. Input
[batch, 12, 204, 1] of `chords.Heard.seen`; output [batch, 25] logits: major and minor by tonic, and no clear key.
"""

from __future__ import annotations

import tf_keras as keras
from tf_keras import layers

from stream_analyzer.analysis.key.chords import COLUMNS
from stream_analyzer.analysis.pitches import SEMITONES
from training.nets.blocks import Join

VIEWS = 4  # what tells sound that has no key: the strongest answers to so many more profiles


def build(*, shrink: float) -> keras.Model:
    """Return the network with fresh weights; ``shrink`` holds the profiles small."""
    seen = layers.Input((SEMITONES, COLUMNS, 1))
    modes = [_profile(seen, 1, shrink=shrink) for _ in ("major", "minor")]
    views = layers.ReLU()(_profile(seen, VIEWS, shrink=shrink))
    strongest = layers.Flatten()(layers.MaxPooling2D((SEMITONES, 1))(views))
    none = layers.Dense(1)(strongest)
    return keras.Model(seen, Join()([*(layers.Flatten()(mode) for mode in modes), none]))


def _profile(seen: keras.KerasTensor, count: int, *, shrink: float) -> keras.KerasTensor:
    return layers.Conv2D(
        count,
        (1, COLUMNS),
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.03),
        kernel_regularizer=keras.regularizers.L2(shrink),
    )(seen)
