"""Give the channels of the musicnn network like ranges, which changes no value of it but lets int8 hold them all.

One step of int8 is a 255th of a tensor's range; left as they are, a few channels that reach 100 would leave most of the
others a handful of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras

from training.genre.musicnn import UNLIMITED, Within

if TYPE_CHECKING:
    from stream_analyzer.types import F32

STAGES = 4  # front end, then three middle layers
LEAST_RANGE = 1e-3


def limit(model: keras.Model, pictures: F32, *, quantile: float = 0.9999) -> None:
    """Give every channel finite limits: what it reaches on ``pictures`` [n, 187, 96, 1] but for rare extremes."""
    for layer in model.layers:
        if isinstance(layer, Within):
            reached = _values(model, layer.name, pictures)
            low, high = layer.get_weights()
            least, most = np.quantile(reached, [1.0 - quantile, quantile], axis=0)
            low = np.where(low <= -UNLIMITED, np.minimum(least, high), low)
            high = np.where(high >= UNLIMITED, np.maximum(most, low + LEAST_RANGE), high)
            layer.set_weights([low, high])


def equalise(model: keras.Model, pictures: F32) -> None:
    """Scale the channels of front end, middle and pooled values to like ranges on ``pictures`` [n, 187, 96, 1]."""
    names = ["front_limits", "middle_limits_0", "middle_sum_1", "middle_sum_2"]
    reached = [np.abs(_values(model, name, pictures)).max(axis=0) for name in names]
    front = np.maximum(reached[0], LEAST_RANGE)
    residual = np.maximum(np.max(reached[1:], axis=0), LEAST_RANGE)
    _scale_front(model, front)
    for index in range(STAGES - 1):
        entering = front if index == 0 else residual
        layer = model.get_layer(f"middle_{index}")
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * entering[:, None] / residual, bias / residual])
        _scale_limits(model, f"middle_limits_{index}", residual)
    for kind in ("maximum", "mean"):
        for stage in range(STAGES):
            layer = model.get_layer(f"scale_{kind}_{stage}")
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * (front if stage == 0 else residual)[:, None], bias])
    _scale_pooled(model, pictures)


def _scale_front(model: keras.Model, ranges: F32) -> None:
    start, index = 0, 0
    while start < len(ranges):
        layer = model.get_layer(f"front_{index}")
        kernel, bias = layer.get_weights()
        part = ranges[start : start + len(bias)]
        layer.set_weights([kernel / part, bias / part])
        start, index = start + len(bias), index + 1
    _scale_limits(model, "front_limits", ranges)


def _scale_limits(model: keras.Model, name: str, ranges: F32) -> None:
    layer = model.get_layer(name)
    layer.set_weights([side / ranges for side in layer.get_weights()])


def _scale_pooled(model: keras.Model, pictures: F32) -> None:
    """Bring each pooled value to mean 0 and deviation 1; the kernels behind take it back."""
    pooled = _values(model, "pooled", pictures)
    shift, scale = pooled.mean(axis=0), np.maximum(pooled.std(axis=0), LEAST_RANGE)
    start = 0
    for kind in ("maximum", "mean"):
        for stage in range(STAGES):
            layer = model.get_layer(f"scale_{kind}_{stage}")
            kernel, bias = layer.get_weights()
            part = slice(start, start + len(bias))
            layer.set_weights([kernel / scale[part, None], (bias - shift[part]) / scale[part]])
            start = part.stop
    for name in ("embedding", "music"):
        if name in [layer.name for layer in model.layers]:
            layer = model.get_layer(name)
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * scale[:, None], bias + shift @ kernel[0, 0]])


def _values(model: keras.Model, name: str, pictures: F32) -> F32:
    """Return the values of layer ``name``, float32 [places, channels]."""
    part = keras.Model(model.input, model.get_layer(name).output)
    values: F32 = part.predict(pictures, batch_size=32, verbose=0)
    return values.reshape(-1, values.shape[-1])
