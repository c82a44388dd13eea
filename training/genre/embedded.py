"""The labelled clips as a network hears them: what it makes of each window of every variant, kept in files."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras

from training.genre.collection import LABELS
from training.genre.head import Windows
from training.genre.not_music import MAKERS, sound_of
from training.genre.sound_model import features_of
from training.genre.sound_pictures import RATE_HZ, changed, pictures, read_sound

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from stream_analyzer.types import F32
    from training.genre.collection import Clip
    from training.genre.musicnn import Compact

    Indices = npt.NDArray[np.intp]

log = logging.getLogger(__name__)

MADE_S = 7.0


@dataclass(frozen=True, slots=True)
class Embedded:
    """Windows of some clips: ``clip`` [n] indexes the clips, ``pooled`` [n, 512], ``embedding`` [n, 200]."""

    clip: Indices
    pooled: F32
    embedding: F32

    def of(self, clips: npt.NDArray[np.bool_]) -> Embedded:
        """Return the windows of the ``clips`` [clips] that are true."""
        rows = clips[self.clip]
        return Embedded(self.clip[rows], self.pooled[rows], self.embedding[rows])


def join(parts: Iterable[Embedded]) -> Embedded:
    """Return the windows of several variants of the same clips."""
    several = list(parts)
    return Embedded(
        np.concatenate([part.clip for part in several]),
        np.concatenate([part.pooled for part in several]),
        np.concatenate([part.embedding for part in several]),
    )


def embed(network: keras.Model, sounds: Iterable[F32]) -> Embedded:
    """Return what ``network`` makes of each of ``sounds``, mono at 16 kHz."""
    both = keras.Model(network.input, [network.get_layer("pooled").output, network.output])
    clips, pooled, embeddings = [], [], []
    for index, sound in enumerate(sounds):
        seen = pictures(sound)
        values, embedding = both.predict_on_batch(seen[..., None])
        clips.append(np.full(len(seen), index))
        pooled.append(values.reshape(len(seen), -1))
        embeddings.append(embedding)
    return Embedded(np.concatenate(clips), np.concatenate(pooled), np.concatenate(embeddings))


def embed_clips(network: keras.Model, clips: list[Clip], variant: str) -> Embedded:
    """Return what ``network`` makes of the variant of each of ``clips``; see `sound_pictures.changed`."""
    log.info("variant %s of %s clips", variant, len(clips))
    return embed(network, (changed(read_sound(clip.path), variant, name=clip.path.name) for clip in clips))


def embed_made(network: keras.Model, *, each: int, seed: int) -> Embedded:
    """Return what ``network`` makes of ``each`` sounds of every kind of `training.genre.not_music`."""
    log.info("%s sounds of %s kinds that are no music", each, len(MAKERS))
    kinds = [
        (kind, np.random.default_rng([seed, place, index]))
        for place, kind in enumerate(MAKERS)
        for index in range(each)
    ]
    return embed(network, (sound_of(kind, int(MADE_S * RATE_HZ), RATE_HZ, rng) for kind, rng in kinds))


def windows_of(heard: Embedded, clips: list[Clip], parts: Compact) -> Windows:
    """Return what the genres' linear model learns from; every clip must have a label."""
    return Windows(
        features=features_of(heard.embedding, parts),
        label=np.array([LABELS.index(clips[index].label) for index in heard.clip]),
        source=np.array([clips[index].source for index in heard.clip]),
        song=np.array([clips[index].song for index in heard.clip]),
    )
