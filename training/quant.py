"""Quantization-aware training and conversion to full int8 TFLite."""

from __future__ import annotations

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras as keras
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_configs as default_configs,
)

from training import nets

OWN_LAYERS = (nets.WindowMaximum, nets.Below, nets.Lift)
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


def to_int8(model: keras.Model) -> bytes:
    """Convert a quantization-aware ``model`` to TFLite with int8 input and output."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converted: Any = converter.convert()
    return bytes(converted)
