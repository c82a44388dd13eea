"""musicnn's network (Pons and Serra 2019, ISC licence) in layers that quantize to int8, without its dead filters.

Most filters of its front end were switched off by its own training: their weights are zero and their output is one
constant. The network here leaves them out and gives the same values. Each batch normalisation that follows a rectifier
is folded into its convolution; a rectifier then is a limit of its own for each channel.

    picture [batch, 187, 96, 1] -> embedding [batch, 1, 1, 200]
"""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from training.nets.blocks import Join

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32

FRAMES, BANDS = 187, 96
EMBEDDING = 200
TAGS = 50
EPSILON = 1e-3  # of every batch normalisation
DEAD_VARIANCE = 1e-8  # of a filter whose output never changes
TIMBRAL = ("conv2d", "conv2d_1")
TEMPORAL = ("conv2d_2", "conv2d_3", "conv2d_4")
MIDDLE = ("conv2d_5", "conv2d_6", "conv2d_7")
UNLIMITED = 1e3
STACKED = 8

Weights = dict[str, "F32"]


def read_weights(wheel: Path, *, network: str = "MSD_musicnn") -> Weights:
    """Return the trained variables of ``network`` in musicnn's ``wheel`` by name."""
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        for ending in (".index", ".data-00000-of-00001"):
            (Path(folder) / f"musicnn{ending}").write_bytes(archive.read(f"musicnn/{network}/{ending}"))
        reader = tf.compat.v1.train.NewCheckpointReader(str(Path(folder) / "musicnn"))
        names = [name for name in reader.get_variable_to_shape_map() if "Adam" not in name and "_power" not in name]
        return {name: np.asarray(reader.get_tensor(name), np.float32) for name in names}


@dataclass(frozen=True, slots=True)
class Folded:
    """A convolution with the batch normalisation behind its rectifier: outputs kept within ``low`` and ``high``.

    ``kernel`` [height, width, in, out], the others [out].
    """

    kernel: F32
    bias: F32
    low: F32
    high: F32

    def take(self, channels: npt.NDArray[np.intp]) -> Folded:
        """Return the convolution with some output channels alone."""
        kept = (self.bias[channels], self.low[channels], self.high[channels])
        return Folded(self.kernel[..., channels], *kept)


def normalisation(weights: Weights, index: int) -> tuple[F32, F32]:
    """Return scale and shift of the ``index``-th batch normalisation."""
    prefix = f"batch_normalization_{index}" if index else "batch_normalization"
    scale = weights[f"{prefix}/gamma"] / np.sqrt(weights[f"{prefix}/moving_variance"] + EPSILON)
    return scale, weights[f"{prefix}/beta"] - weights[f"{prefix}/moving_mean"] * scale


def alive(weights: Weights, index: int) -> npt.NDArray[np.intp]:
    """Return the channels whose output varies before the ``index``-th batch normalisation."""
    return np.flatnonzero(weights[f"batch_normalization_{index}/moving_variance"] > DEAD_VARIANCE)


def folded(weights: Weights, name: str, index: int) -> Folded:
    """Fold the ``index``-th normalisation into the convolution ``name``: scale * relu(x) + shift has a limit at shift.

    With a scale above zero that value is max(scale * x + shift, shift), with one below zero the minimum of the two.
    """
    scale, shift = normalisation(weights, index)
    bias = weights[f"{name}/bias"] * scale + shift
    low = np.where(scale >= 0.0, shift, -UNLIMITED).astype(np.float32)
    high = np.where(scale >= 0.0, UNLIMITED, shift).astype(np.float32)
    return Folded(weights[f"{name}/kernel"] * scale, bias, low, high)


class Within(keras.layers.Layer):  # type: ignore[misc]
    """Keep each channel within limits of its own."""

    def __init__(self, channels: int, **options: Any) -> None:  # noqa: ANN401 - Keras passes names and types through
        """Limit ``channels``; the limits are weights."""
        super().__init__(**options)
        self.channels = channels
        self.low = self.add_weight("low", (channels,), initializer="zeros", trainable=False)
        self.high = self.add_weight("high", (channels,), initializer="ones", trainable=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Cut off what is beyond."""
        return tf.minimum(tf.maximum(x, self.low), self.high)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras needs to clone the layer."""
        return {**super().get_config(), "channels": self.channels}


@dataclass(frozen=True, slots=True)
class Compact:
    """What the network without dead filters is made of; ``front`` has the temporal convolutions after the timbral."""

    picture: tuple[float, float]
    front: tuple[Folded, ...]
    middle: tuple[Folded, ...]
    dense: tuple[F32, F32]
    embedding: tuple[F32, F32]
    tags: tuple[F32, F32]

    @property
    def timbres(self) -> int:
        """Number of living front-end filters."""
        return sum(len(part.bias) for part in self.front)


def compact(weights: Weights) -> Compact:
    """Leave out the dead filters of the front end; the constants that they gave go into the biases behind them."""
    parts = [folded(weights, name, index) for index, name in enumerate((*TIMBRAL, *TEMPORAL), start=1)]
    kept = [alive(weights, index) for index in range(1, len(parts) + 1)]
    starts = np.cumsum([0, *(len(part.bias) for part in parts)])
    living = np.concatenate([start + channels for start, channels in zip(starts, kept, strict=False)])
    constant = np.concatenate([np.clip(part.bias, part.low, part.high) for part in parts])
    constant[living] = 0.0
    middle = [folded(weights, name, index) for index, name in enumerate(MIDDLE, start=6)]
    first = middle[0]
    kernel = first.kernel.transpose(0, 2, 1, 3)  # height, 1, channels, out
    bias = first.bias + np.einsum("hwci,c->i", kernel, constant)
    middle = [
        Folded(kernel[:, :, living], bias, first.low, first.high),
        *(Folded(part.kernel.transpose(0, 2, 1, 3), part.bias, part.low, part.high) for part in middle[1:]),
    ]
    scale, shift = normalisation(weights, 9)
    whole, columns = weights["dense/kernel"], len(scale) // 2
    dense_bias = weights["dense/bias"] + (shift + scale * _pooled(constant, columns)) @ whole
    chosen = np.concatenate([living, np.arange(len(constant), columns)])
    rows = np.concatenate([2 * chosen, 2 * chosen + 1])  # maximum and mean of a channel lie side by side
    tag_scale, tag_shift = normalisation(weights, 10)
    tag_kernel = weights["dense_1/kernel"]
    return Compact(
        picture=(float(normalisation(weights, 0)[0][0]), float(normalisation(weights, 0)[1][0])),
        front=tuple(part.take(channels) for part, channels in zip(parts, kept, strict=True)),
        middle=tuple(middle),
        dense=(np.asarray(whole[rows] * scale[rows, None], np.float32), np.asarray(dense_bias, np.float32)),
        embedding=(tag_scale, tag_shift),
        tags=(tag_kernel, weights["dense_1/bias"]),
    )


def _pooled(constant: F32, columns: int) -> F32:
    """Return what pooling makes of channels that hold ``constant`` throughout: their largest values and means."""
    return np.repeat(np.concatenate([constant, np.zeros(columns - len(constant), np.float32)]), 2)


class Stack(keras.layers.Layer):  # type: ignore[misc]
    """Lay `STACKED` frames that follow each other side by side, as channels: [n, frames, bands, 1] -> [..., 8].

    A convolution over them does what one over as many frames of one channel does, in int8 eight times as fast.
    """

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Concatenate shifted views; the last ones are shorter by `STACKED` - 1 frames."""
        frames = x.shape[1] - STACKED + 1
        return tf.concat([x[:, shift : shift + frames] for shift in range(STACKED)], -1)


def stacked_kernel(kernel: F32) -> F32:
    """Return ``kernel`` [frames, bands, 1, out] for stacked frames: [frames / 8, bands, 8, out], filled with zeros."""
    frames, bands, _, out = kernel.shape
    rows = -(-frames // STACKED)
    filled = np.zeros((rows * STACKED, bands, out), np.float32)
    filled[:frames] = kernel[:, :, 0]
    return filled.reshape(rows, STACKED, bands, out).transpose(0, 2, 1, 3)


def build(parts: Compact) -> keras.Model:
    """Return the network: picture [batch, 187, 96, 1] -> embedding before its normalisation [batch, 200]."""
    layers = keras.layers
    picture = layers.Input((FRAMES, BANDS, 1), name="picture")
    x = layers.Conv2D(1, 1, name="picture_scale")(picture)
    timbre = Stack(name="stack_timbre")(layers.ZeroPadding2D(((3, 4), (0, 0)), name="pad_timbre")(x))
    front = []
    for index, part in enumerate(parts.front):
        height, width, _, channels = part.kernel.shape
        y = timbre if height < STACKED else _around(x, height, name=f"{index}")
        rows = -(-height // STACKED)
        y = layers.Conv2D(channels, (rows, width), dilation_rate=(STACKED, 1), name=f"front_{index}")(y)
        front.append(layers.MaxPooling2D((1, BANDS - width + 1), name=f"highest_{index}")(y))
    y = Within(parts.timbres, name="front_limits")(Join(name="front")(front))
    y = keras.layers.Flatten(name="flat")(_behind(y, [len(part.bias) for part in parts.middle]))
    model = keras.Model(picture, y, name="musicnn")
    _load(model, parts)
    return model


def _around(x: tf.Tensor, height: int, *, name: str) -> tf.Tensor:
    """Return stacked frames with as much silence around that ``height`` of them are seen at each place."""
    before = (height - 1) // 2
    padded = keras.layers.ZeroPadding2D(((before, height - 1 - before), (0, 0)), name=f"pad_{name}")(x)
    return Stack(name=f"stack_{name}")(padded)


def _behind(y: tf.Tensor, channels: list[int]) -> tf.Tensor:
    """Return the embedding of what the front end gives: three layers over time, pooling, a dense layer."""
    layers = keras.layers
    pooled = [y]
    for index, width in enumerate(channels):
        z = layers.ZeroPadding2D(((3, 3), (0, 0)), name=f"pad_middle_{index}")(y)
        z = layers.Conv2D(width, (7, 1), name=f"middle_{index}")(z)
        z = Within(width, name=f"middle_limits_{index}")(z)
        y = layers.Add(name=f"middle_sum_{index}")([y, z]) if index else z
        pooled.append(y)
    maxima = [layers.MaxPooling2D((FRAMES, 1), name=f"maximum_{i}")(y) for i, y in enumerate(pooled)]
    means = [layers.GlobalAveragePooling2D(keepdims=True, name=f"mean_{i}")(y) for i, y in enumerate(pooled)]
    names = [f"scale_{kind}_{i}" for kind in ("maximum", "mean") for i in range(len(pooled))]
    scaled = [
        layers.DepthwiseConv2D(1, depthwise_initializer="ones", name=name)(values)
        for name, values in zip(names, (*maxima, *means), strict=True)
    ]
    return layers.Conv2D(EMBEDDING, 1, activation="relu", name="embedding")(Join(name="pooled")(scaled))


def _load(model: keras.Model, parts: Compact) -> None:
    scale, shift = parts.picture
    model.get_layer("picture_scale").set_weights([np.full((1, 1, 1, 1), scale), np.array([shift])])
    for name, group in (("front", parts.front), ("middle", parts.middle)):
        for index, part in enumerate(group):
            kernel = stacked_kernel(part.kernel) if name == "front" else part.kernel
            model.get_layer(f"{name}_{index}").set_weights([kernel, part.bias])
    limits = [np.concatenate([getattr(part, side) for part in parts.front]) for side in ("low", "high")]
    model.get_layer("front_limits").set_weights(limits)
    for index, part in enumerate(parts.middle):
        model.get_layer(f"middle_limits_{index}").set_weights([part.low, part.high])
    kernel, bias = parts.dense
    model.get_layer("embedding").set_weights([kernel[None, None], bias])
