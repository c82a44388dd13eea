"""The whole genre model of sound in one network: musicnn, the genres' linear model and the one of music; then int8."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras
from ai_edge_litert.interpreter import Interpreter

from training.genre.equal import equalise, limit
from training.nets import int8
from training.nets.blocks import Join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_analyzer.types import F32, F64
    from training.genre.head import Linear
    from training.genre.musicnn import Compact


@dataclass(frozen=True, slots=True)
class Music:
    """The logit of music from pooled values: values @ kernel + bias, float64 [512] and a number."""

    kernel: F64
    bias: float


def features_of(embedding: F32, parts: Compact) -> F32:
    """Return what the genres' linear model reads: the normalised embedding [n, 200], then the logits of 50 tags."""
    scale, shift = parts.embedding
    normal = embedding * scale + shift
    return np.asarray(np.concatenate([normal, normal @ parts.tags[0] + parts.tags[1]], axis=1), np.float32)


def on_embedding(head: Linear, parts: Compact) -> tuple[F64, F64]:
    """Return kernel [200, labels] and bias [labels] that give ``head``'s logits of the embedding itself."""
    scale, shift = parts.embedding
    tags, tag_bias = parts.tags
    normal = head.kernel[: len(scale)] + tags @ head.kernel[len(scale) :]
    bias = head.bias + shift @ normal + tag_bias @ head.kernel[len(scale) :]
    return scale[:, None] * normal, bias


def assemble(network: keras.Model, parts: Compact, *, heads: Sequence[Linear], music: Music) -> keras.Model:
    """Return picture [batch, 187, 96, 1] -> logits [batch, heads * labels + 1], the last of music.

    ``network`` is that of `training.genre.musicnn.build`, with weights that ``heads`` and ``music`` were fitted to.
    What is served has one head; the scorer takes one for each source that is left out.
    """
    found = [on_embedding(head, parts) for head in heads]
    kernel, bias = (np.concatenate(values, axis=-1) for values in zip(*found, strict=True))
    layers = keras.layers
    genres = layers.Conv2D(len(bias), 1, name="genres")
    sound = layers.Conv2D(1, 1, name="music")
    both = Join(name="logits")(
        [genres(network.get_layer("embedding").output), sound(network.get_layer("pooled").output)]
    )
    model = keras.Model(network.input, layers.Flatten(name="output")(both))
    genres.set_weights([kernel[None, None], bias])
    sound.set_weights([music.kernel[None, None, :, None], np.array([music.bias])])
    return model


def to_int8(model: keras.Model, pictures: F32) -> bytes:
    """Return ``model`` as TFLite with int8 arithmetic throughout; ranges are those that ``pictures`` reach.

    The weights of ``model`` change: its channels get like ranges first.
    """
    limit(model, pictures)
    equalise(model, pictures)

    def representative() -> Iterator[list[F32]]:
        for picture in pictures:
            yield [picture[None]]

    return int8.convert(tf.lite.TFLiteConverter.from_keras_model(model), representative)


class Int8Model:
    """An exported model, run as the service runs it: one picture at a time, one thread."""

    def __init__(self, content: bytes) -> None:
        """Load the model from its bytes."""
        self._interpreter = Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()
        self._input, self._output = (
            details[0] for details in (self._interpreter.get_input_details(), self._interpreter.get_output_details())
        )
        self._times_s: list[float] = []

    @property
    def milliseconds(self) -> float:
        """Median time of a run so far."""
        return 1e3 * float(np.median(self._times_s))

    def run(self, picture: F32) -> F32:
        """Return the logits [outputs] of a picture [187, 96]."""
        scale, zero = self._input["quantization"]
        levels = np.clip(np.rint(picture / scale) + zero, -128, 127).astype(np.int8)
        self._interpreter.set_tensor(self._input["index"], levels[None, :, :, None])
        start_s = time.perf_counter()
        self._interpreter.invoke()
        self._times_s.append(time.perf_counter() - start_s)
        scale, zero = self._output["quantization"]
        output = self._interpreter.get_tensor(self._output["index"])[0]
        return np.asarray((output.astype(np.float32) - zero) * scale, np.float32)
