"""BeatNet as a teacher: how likely its three causal networks find a beat and a downbeat at each frame of a sound.

Weights come from the wheel of `BeatNet` in the package index (Heydari, Cwitkowitz and Duan, ISMIR 2021; CC BY 4.0),
read without torch; the features are madmom's, by `madmom-infer`. Frames are 50 a second, centred on k / 50 s.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_analyzer.types import F32

RATE_HZ, WINDOW, HOP = 22_050, 1411, 441
BANDS_AN_OCTAVE = 24
CELLS = 150
MODELS = (1, 2, 3)
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")  # torch's names


@dataclass(frozen=True, slots=True)
class Lstm:
    """One layer: weights of input [4 * cells, inputs] and state [4 * cells, cells], bias [4 * cells]; gates i f g o."""

    of_input: F32
    of_state: F32
    bias: F32

    def run(self, x: F32) -> F32:
        """Return the outputs [time, batch, cells] for x [time, batch, inputs]."""
        driven = x @ self.of_input.T + self.bias
        state = np.zeros((x.shape[1], CELLS), np.float32)
        cell, outputs = np.zeros_like(state), np.empty((*x.shape[:2], CELLS), np.float32)
        recurrent = np.ascontiguousarray(self.of_state.T)
        for time, gates in enumerate(driven):
            enter, forget, new, out = np.split(gates + state @ recurrent, 4, axis=1)
            cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
            state = _sigmoid(out) * np.tanh(cell)
            outputs[time] = state
        return outputs


class BeatNet:
    """One of the three networks."""

    def __init__(self, wheel: Path, number: int) -> None:
        """Read model ``number`` (1 to 3) from the wheel."""
        found = _read_weights(wheel, f"BeatNet/models/model_{number}_weights.pt")
        self._kernels, self._kernel_bias = found["conv1.weight"][:, 0], found["conv1.bias"]
        self._dense, self._dense_bias = found["linear0.weight"], found["linear0.bias"]
        self._output, self._output_bias = found["linear.weight"], found["linear.bias"]
        self._layers = [_layer(found, number) for number in (0, 1)]

    def run(self, features: F32) -> F32:
        """Return the probabilities of a beat (a downbeat is one too) and of a downbeat, float32 [batch, time, 2].

        ``features`` are float32 [batch, time, 272], as `features` makes them.
        """
        slices = np.lib.stride_tricks.sliding_window_view(features, self._kernels.shape[1], axis=-1)
        convolved = np.einsum("btpk,ck->btcp", slices, self._kernels, optimize=True) + self._kernel_bias[:, None]
        convolved = np.maximum(convolved, 0.0)[..., : convolved.shape[-1] // 2 * 2]
        pooled = convolved.reshape(*convolved.shape[:-1], -1, 2).max(axis=-1)
        x = pooled.reshape(*pooled.shape[:2], -1) @ self._dense.T + self._dense_bias
        x = x.swapaxes(0, 1).astype(np.float32)
        for layer in self._layers:
            x = layer.run(x)
        logits = x @ self._output.T + self._output_bias
        chances = np.exp(logits - logits.max(axis=-1, keepdims=True))
        chances /= chances.sum(axis=-1, keepdims=True)
        both = np.stack([chances[..., 0] + chances[..., 1], chances[..., 1]], axis=-1)
        return np.asarray(both.swapaxes(0, 1), np.float32)


def features(sound: F32) -> F32:
    """Return float32 [time, 272] of mono sound at 22 050 Hz: 136 bands of log magnitude and their rises."""
    from madmom_infer.audio.signal import FramedSignalProcessor, SignalProcessor  # noqa: PLC0415
    from madmom_infer.audio.spectrogram import (  # noqa: PLC0415 - only the teacher needs it
        FilteredSpectrogramProcessor,
        LogarithmicSpectrogramProcessor,
        SpectrogramDifferenceProcessor,
    )
    from madmom_infer.audio.stft import ShortTimeFourierTransformProcessor  # noqa: PLC0415

    made: Any = SignalProcessor(num_channels=1, sample_rate=RATE_HZ)(sound)
    for step in (
        FramedSignalProcessor(frame_size=WINDOW, hop_size=HOP),
        ShortTimeFourierTransformProcessor(),
        FilteredSpectrogramProcessor(num_bands=BANDS_AN_OCTAVE, fmin=30, fmax=17_000, norm_filters=True),
        LogarithmicSpectrogramProcessor(mul=1, add=1),
        SpectrogramDifferenceProcessor(diff_ratio=0.5, positive_diffs=True, stack_diffs=np.hstack),
    ):
        made = step(made)
    return np.asarray(made, np.float32)


def listen(sounds: Sequence[F32], teachers: Sequence[BeatNet]) -> list[F32]:
    """Return what the ``teachers`` hear on average in each of some ``sounds``, float32 [frames, 2]."""
    made = [features(sound) for sound in sounds]
    longest = max(len(one) for one in made)
    batch = np.stack([np.pad(one, ((0, longest - len(one)), (0, 0))) for one in made])
    heard = np.mean([teacher.run(batch) for teacher in teachers], axis=0)
    return [part[: len(one)] for part, one in zip(heard, made, strict=True)]


def _layer(found: dict[str, F32], number: int) -> Lstm:
    of_input, of_state, bias, more = (found[f"lstm.{name}_l{number}"] for name in PARTS)
    return Lstm(of_input, of_state, bias + more)


def _sigmoid(x: F32) -> F32:
    return np.asarray(1.0 / (1.0 + np.exp(-x)), np.float32)


def _read_weights(wheel: Path, name: str) -> dict[str, F32]:
    """Return the tensors of a file that torch wrote (a zip with a pickle of views into stored numbers)."""
    with zipfile.ZipFile(wheel) as outer, outer.open(name) as file, zipfile.ZipFile(file) as inner:
        root = inner.namelist()[0].split("/")[0]

        class Reader(pickle.Unpickler):
            def persistent_load(self, pid: Any) -> Any:  # noqa: ANN401 - as pickle calls it
                return np.frombuffer(inner.read(f"{root}/data/{pid[2]}"), np.float32)

            def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
                if name == "_rebuild_tensor_v2":
                    return _tensor
                if module == "collections" and name == "OrderedDict":
                    return OrderedDict
                return None

        with inner.open(f"{root}/data.pkl") as data:
            found: dict[str, F32] = Reader(data).load()
    return found


def _tensor(storage: F32, offset: int, size: tuple[int, ...], *_: Any) -> F32:  # noqa: ANN401 - strides, grad, hooks
    return storage[offset : offset + int(np.prod(size))].reshape(size)
