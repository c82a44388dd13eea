"""Quantization-aware training and conversion to full int8 TFLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras as keras
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_configs as default_configs,
)

from training.nets import blocks, int8

if TYPE_CHECKING:
    from stream_analyzer.types import F32

# What tensorflow-model-optimization keeps of an activation range a step.
_RANGE_MEMORY = 0.999
_AVERAGED_PASSES = 8

OWN_LAYERS = (
    blocks.WindowMaximum,
    blocks.Difference,
    blocks.Lift,
    blocks.Change,
    blocks.Glide,
    blocks.Clip,
    blocks.Join,
    blocks.Round,
    blocks.Average,
    blocks.OneOf,
)
_SCOPE = {layer.__name__: layer for layer in OWN_LAYERS} | {
    "Default8BitOutputQuantizeConfig": default_configs.Default8BitOutputQuantizeConfig
}


def quantization_aware(model: keras.Model) -> keras.Model:
    """Return a clone of ``model``, with its weights, that trains under simulated int8 arithmetic."""

    def annotate(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, OWN_LAYERS):
            config = default_configs.Default8BitOutputQuantizeConfig()
            return tfmot.quantization.keras.quantize_annotate_layer(layer, config)
        if isinstance(layer, keras.layers.InputLayer):
            return layer
        return tfmot.quantization.keras.quantize_annotate_layer(layer)

    with tfmot.quantization.keras.quantize_scope(_SCOPE):
        annotated = keras.models.clone_model(model, clone_function=annotate)
        annotated.set_weights(model.get_weights())
        return tfmot.quantization.keras.quantize_apply(annotated)


def settle_ranges(model: keras.Model, batches: list[F32]) -> None:
    """Set the activation ranges of a fresh quantization-aware ``model`` to those that ``batches`` show.

    They are moving averages that start at -6..6 and move by a thousandth a step, so training would spend thousands of
    steps under wrong ones. A step's change tells the batch's own range; layer by layer, from input to output, one pass
    over a batch puts it in place. The last passes are averaged. The input's range, which only grows, settles by itself.

    Parameters
    ----------
    model
        What `quantization_aware` returned.
    batches
        float32 [batch, frames, 128] each; more of them than the model has quantized layers.
    """
    ranges = [weight for weight in model.weights if _is_moving_range(weight.name)]
    kept = [(weight, weight.numpy()) for weight in model.weights if not _is_range(weight.name)]
    seen = []
    watch = tf.function(lambda windows: model(windows, training=True), reduce_retracing=True)
    for windows in batches:
        before = [float(weight) for weight in ranges]
        watch(tf.constant(windows[..., None]))
        values = [old + (float(new) - old) / (1.0 - _RANGE_MEMORY) for old, new in zip(before, ranges, strict=True)]
        seen.append(values)
        for weight, value in zip(ranges, values, strict=True):
            weight.assign(value)
    for weight, value in zip(ranges, np.mean(seen[-_AVERAGED_PASSES:], axis=0), strict=True):
        weight.assign(value)
    for weight, value in kept:
        weight.assign(value)


def _is_range(name: str) -> bool:
    return name.endswith(("_min:0", "_max:0"))


def _is_moving_range(name: str) -> bool:
    return _is_range(name) and "kernel_" not in name and not name.startswith("quantize_layer")


def to_int8(model: keras.Model) -> bytes:
    """Convert a quantization-aware ``model`` to TFLite with int8 input and output."""
    shape = [1, *model.inputs[0].shape[1:]]
    whole = tf.function(lambda windows: model(windows, training=False))
    concrete = whole.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = int8.converter_of(concrete, model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converted: Any = converter.convert()
    return bytes(converted)
