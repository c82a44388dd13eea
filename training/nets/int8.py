"""Conversion to TFLite, with int8 arithmetic throughout."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import tf_keras as keras


def converter_of(concrete: Any, model: keras.Model) -> Any:  # noqa: ANN401 - TensorFlow has no types
    """Return a converter of a concrete function of ``model``.

    It gets the variables alone: beside a whole Keras model it saves a function of each layer and of all of them first,
    four times the work of all the rest.
    """
    variables = tf.Module()
    variables.all = model.variables
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], variables)


def convert(converter: Any, representative: Callable[[], Iterator[Any]]) -> bytes:  # noqa: ANN401 - TensorFlow has no types
    """Return what ``converter`` converts, its ranges those that the ``representative`` inputs reach."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # The converter asks for statistics that the representative inputs give it.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        return bytes(converter.convert())
