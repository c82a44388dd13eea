"""Run one quantized TFLite model: log-mel window in, float32 logits out. The only user of the LiteRT runtime.

A model that hears the stream block by block keeps its past in further tensors: each goes in, and comes out renewed.
"""

from __future__ import annotations

import warnings
import zipfile
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stream_analyzer.analysis.manifest import ModelManifest, load_manifest
from stream_analyzer.errors import ManifestError, ModelError
from stream_analyzer.system.stderr import native_stderr_closed

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F32

GOLDEN_STEPS = 2.0


class Model(Protocol):
    """What judges a window. ``outputs`` is the number of its logits."""

    manifest: ModelManifest
    outputs: int

    def run(self, window: F32) -> F32:
        """Return the logits float32 [outputs] of a window float32 [frames, n_mels]."""


class StreamModel(Model, Protocol):
    """What judges windows that follow on one another, and keeps a past of them."""

    def reset(self) -> None:
        """Forget the windows before."""


class TfliteModel:
    """An int8 model with its manifest. Not thread-safe: one thread owns it."""

    def __init__(self, folder: Path, *, manifest: ModelManifest | None = None, keep_layers: bool = False) -> None:
        """Load and check the model in ``folder``; raise `ModelError` if it can't be trusted or run.

        The ``manifest`` is what `load_manifest` has read there. With ``keep_layers`` what its inner layers gave of the
        last window can be read, for more memory.
        """
        self.manifest: ModelManifest = manifest or load_manifest(folder)
        self._folder = folder
        self._interpreter = _interpreter(folder / self.manifest.file, self.manifest.name, keep_layers=keep_layers)
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._shape = (1, *self.manifest.shape, 1)
        self._past = pairs_of_past(self.manifest.name, inputs, outputs, but=self._shape)
        taken = {index for pair in self._past for index in pair}
        inputs, outputs = ([one for one in some if one["index"] not in taken] for some in (inputs, outputs))
        _check(self.manifest, "input", inputs, self._shape)
        self.outputs = int(outputs[0]["shape"][-1])
        _check(self.manifest, "output", outputs, (1, self.outputs))
        self._input_index, self._output_index = inputs[0]["index"], outputs[0]["index"]
        self._input_scale, self._input_zero = inputs[0]["quantization"]
        self._output_scale, self._output_zero = outputs[0]["quantization"]
        self.reset()

    def reset(self) -> None:
        """Forget the windows before: the past is silent."""
        before = {index for index, _ in self._past}
        for one in self._interpreter.get_input_details():
            if one["index"] in before:
                self._interpreter.set_tensor(one["index"], np.full(one["shape"], one["quantization"][1], np.int8))

    def run(self, window: F32) -> F32:
        """Return the logits of one window.

        Parameters
        ----------
        window
            float32 [frames, n_mels], natural-log mel power.

        Returns
        -------
        float32 array [outputs]
            Dequantized logits, before any temperature.
        """
        levels = np.rint(window * np.float32(1.0 / self._input_scale))
        quantized = np.clip(levels + self._input_zero, -128, 127).astype(np.int8)
        self._interpreter.set_tensor(self._input_index, quantized.reshape(self._shape))
        self._interpreter.invoke()
        for before, after in self._past:
            self._interpreter.set_tensor(before, self._interpreter.get_tensor(after))
        output = self._interpreter.get_tensor(self._output_index)[0]
        logits: F32 = (output.astype(np.float32) - self._output_zero) * np.float32(self._output_scale)
        return logits

    def layer(self, name: str) -> int | None:
        """Return the tensor that the layer ``name`` gives of one window, None if there is no such layer."""
        found = [one for one in self._interpreter.get_tensor_details() if f"/{name}/" in one["name"]]
        return next((int(one["index"]) for one in found if len(one["shape"]) > 1 and one["shape"][0] == 1), None)

    def values(self, tensor: int) -> F32:
        """Return the values of an inner tensor after the last window, float32 [n]; needs ``keep_layers``."""
        details = self._interpreter.get_tensor_details()[tensor]
        scale, zero = details["quantization"]
        values: F32 = self._interpreter.get_tensor(tensor).ravel().astype(np.float32)
        return (values - np.float32(zero)) * np.float32(scale)

    def verify(self) -> None:
        """Replay the golden window, or the golden windows of a model that keeps a past, on this machine.

        Raises
        ------
        ModelError
            `golden.npz` is missing, or a logit is more than two quantization steps from the golden one.
        """
        path = self._folder / "golden.npz"
        try:
            with path.open("rb") as file, np.load(file) as golden:
                window, expected = golden["window"], golden["logits"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            msg = f"model {self.manifest.name}: can't read {path}: {reason}; restore it or export the model again"
            raise ModelError(msg) from error
        frames, bands = self._shape[1:3]
        if window.shape[1:] != (bands,) or len(window) % frames or not len(window) or expected.shape != (self.outputs,):
            msg = f"model {self.manifest.name}: {path} was made for another model; restore it or export the model again"
            raise ModelError(msg)
        self.reset()
        logits = [self.run(one) for one in window.reshape(-1, frames, bands)][-1]
        self.reset()
        off = float(np.abs(logits - expected).max()) / self._output_scale
        if off > GOLDEN_STEPS:
            msg = f"model {self.manifest.name}: golden output missed by {off:.1f} steps of {self._output_scale:.3g}; "
            raise ModelError(msg + "this runtime computes it differently, report it with your processor's name")


def _interpreter(path: Path, name: str, *, keep_layers: bool) -> Any:  # noqa: ANN401 - the runtime ships no types
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - costs 66 ms that other commands need not pay

    try:
        with native_stderr_closed(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that keeping layers needs more memory
            # Of a path it would map the file, and see what is written over it while it runs.
            interpreter = Interpreter(
                model_content=path.read_bytes(), num_threads=1, experimental_preserve_all_tensors=keep_layers
            )
            interpreter.allocate_tensors()
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no reason given"
        msg = f"model {name}: {path.name} is not a TFLite model this runtime can run ({reason}); export it again"
        raise ModelError(msg) from error
    return interpreter


def hold_outputs(model: Model, expected: int) -> None:
    """Raise `ManifestError` if a model has not as many logits as its manifest gives meaning to."""
    if model.outputs != expected:
        name = model.manifest.name
        msg = f"model {name} has {model.outputs} outputs, its manifest describes {expected}; export it again"
        raise ManifestError(msg)


def pairs_of_past(
    name: str, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], *, but: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Return where each tensor of a model's past goes in and comes out; no two of them have one shape.

    Raises
    ------
    ModelError
        An input besides that of shape ``but`` has no output of the same shape and scale.
    """
    if len(inputs) == 1:
        return []
    pairs = []
    for one in inputs:
        if tuple(one["shape"]) == but:
            continue
        same = [other for other in outputs if tuple(other["shape"]) == tuple(one["shape"])]
        if len(same) != 1 or same[0]["quantization"] != one["quantization"] or one["dtype"] is not np.int8:
            msg = f"model {name}: input {one['name']} {tuple(map(int, one['shape']))} has no output that renews it"
            raise ModelError(msg + "; export it again")
        pairs.append((int(one["index"]), int(same[0]["index"])))
    return pairs


def _check(manifest: ModelManifest, side: str, details: list[dict[str, Any]], shape: tuple[int, ...]) -> None:
    found = [(tuple(int(n) for n in tensor["shape"]), np.dtype(tensor["dtype"]).name) for tensor in details]
    if found != [(shape, manifest.input.dtype)]:
        msg = f"model {manifest.name}: {side} is {found}, its manifest says {[(shape, manifest.input.dtype)]}"
        raise ModelError(msg)
