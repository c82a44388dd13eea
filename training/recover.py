"""Float weights of a published int8 model, to train on: ``python -m training.recover models/tempo --out DIR``.

A model's float weights stay under runs/; what is published are int8 weights, with batch normalisation folded into
them. Dequantized they are the float network to within a rounding, but without the statistics that batch
normalisation trains on: those are measured on training windows, and what was folded is divided out again.
"""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tf_keras as keras
from ai_edge_litert.interpreter import Interpreter

from stream_analyzer.analysis.manifest import load_manifest
from training.tasks import make_task
from training.train import CONFIGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F32, F64

WEIGHED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
BATCHES = 6


@dataclass(frozen=True, slots=True)
class Layer:
    """What stands in a file of one layer: kernel as Keras has it, and what its results are scaled and shifted by."""

    kernel: F64
    scale: F64
    shift: F64


class Quantized:
    """A TFLite file, read for its weights."""

    def __init__(self, file: Path) -> None:
        """Open ``file``."""
        self._interpreter: Any = Interpreter(str(file))
        self._interpreter.allocate_tensors()
        self._tensors = {tensor["index"]: tensor for tensor in self._interpreter.get_tensor_details()}
        self._operations = self._interpreter._get_ops_details()  # noqa: SLF001 - nothing else names the operations
        self._kept_as = {
            one["outputs"][0]: one["inputs"][0] for one in self._operations if one["op_name"] == "DEQUANTIZE"
        }

    def layers(self) -> dict[str, Layer]:
        """Return what the file holds of each layer with weights, by the layer's name."""
        return dict(self._layer(one) for one in self._operations if one["op_name"] in WEIGHED)

    def _layer(self, operation: dict[str, Any]) -> tuple[str, Layer]:
        weights, bias = operation["inputs"][1:3]
        # "model/quant_NAME/...": quantization-aware training wraps the layer NAME.
        name = self._tensors[weights]["name"].split("/")[1].removeprefix("quant_")
        kernel = self._value(weights)
        kernel = kernel.T if operation["op_name"] == "FULLY_CONNECTED" else kernel.transpose(1, 2, 3, 0)
        shift = self._value(bias)
        scale = np.ones_like(shift)
        apart = self._after(operation, "BATCH_TO_SPACE_ND")
        if apart:  # a convolution with gaps is not folded: its normalisation follows it
            multiplied = self._after(apart, "MUL")
            added = self._after(multiplied, "ADD") if multiplied else None
            if multiplied and added:
                scale, shift = self._vector(multiplied), self._vector(added)
        return name, Layer(kernel, scale, shift)

    def _after(self, operation: dict[str, Any], name: str) -> dict[str, Any] | None:
        made = operation["outputs"][0]
        return next((one for one in self._operations if one["op_name"] == name and made in one["inputs"]), None)

    def _vector(self, operation: dict[str, Any]) -> F64:
        return next(self._value(one) for one in operation["inputs"] if len(self._tensors[one]["shape"]) == 1)

    def _value(self, index: int) -> F64:
        index = self._kept_as.get(index, index)
        quantized = self._tensors[index]["quantization_parameters"]
        value = np.asarray(self._interpreter.get_tensor(index), np.float64)
        if not len(quantized["scales"]):
            return value
        shape = np.ones(value.ndim, int)
        if len(quantized["scales"]) > 1:
            shape[quantized["quantized_dimension"]] = -1
        scales = np.asarray(quantized["scales"], np.float64).reshape(shape)
        return np.asarray((value - quantized["zero_points"].reshape(shape)) * scales, np.float64)


def recover(model: keras.Model, file: Path) -> None:
    """Give ``model`` the weights of ``file``; its batch normalisation then only scales and shifts."""
    kept = Quantized(file).layers()
    weighed = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    layers = {layer.name: layer for layer in model.layers if isinstance(layer, weighed)}
    for name, own in zip(sorted(kept, key=_place), sorted(layers, key=_place), strict=True):
        found, layer = kept[name], layers[own]
        if len(layer.get_weights()) == 2:
            layer.set_weights([found.kernel, found.shift])
            continue
        layer.set_weights([found.kernel])
        after = layer._outbound_nodes[0].outbound_layer  # noqa: SLF001 - Keras tells it nowhere else
        if isinstance(after, keras.layers.BatchNormalization):
            none, one = np.zeros_like(found.shift), np.ones_like(found.shift)
            after.set_weights([found.scale * np.sqrt(1.0 + after.epsilon), found.shift, none, one])


def _place(name: str) -> tuple[str, int]:
    """Return a layer's kind, and its number among those: Keras counts on from one network to the next."""
    kind, _, number = name.rpartition("_")
    return (kind, int(number)) if number.isdigit() else (name, 0)


def normalise(model: keras.Model, batches: list[F32]) -> None:
    """Let batch normalisation know the means and variances of ``batches``; what the model says stays the same."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    probe = keras.Model(model.input, [layer.input for layer in layers])
    found = [[_moments(values) for values in probe(windows[..., None])] for windows in batches]
    for layer, *moments in zip(layers, *found, strict=True):
        mean, square = np.mean(moments, axis=0)
        gamma, beta, _, _ = layer.get_weights()
        scale, variance = gamma / np.sqrt(1.0 + layer.epsilon), square - mean**2
        layer.set_weights([scale * np.sqrt(variance + layer.epsilon), beta + scale * mean, mean, variance])


def _moments(values: Any) -> F64:  # noqa: ANN401 - a tensor
    """Return means and mean squares of each channel, [2, channels]."""
    flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
    return np.stack([flat.mean(axis=0), (flat**2).mean(axis=0)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write float.weights.h5, which a config's ``init`` can name."""
    parser = argparse.ArgumentParser(prog="python -m training.recover", description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path, help="model folder, e.g. models/tempo")
    parser.add_argument("--prepared", default="runs/data", help="where training.prepare left its sets")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    manifest = load_manifest(options.model)
    config = tomllib.loads((CONFIGS / f"{manifest.task}.toml").read_text()) | {"sets": {}}
    task = make_task(config, options.prepared)
    model = task.build()
    recover(model, options.model / manifest.file)
    normalise(model, [task.batch(np.random.default_rng([5, index]), 64).windows for index in range(BATCHES)])
    options.out.mkdir(parents=True, exist_ok=True)
    model.save_weights(options.out / "float.weights.h5")


if __name__ == "__main__":
    main()
