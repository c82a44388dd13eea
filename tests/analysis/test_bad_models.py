"""Models that are altered, foreign, cut or missing are refused with one line and exit code 4."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stream_analyzer.analysis import heads
from stream_analyzer.errors import ModelError
from tests.support.one_command import MODELS, Command, plain_command, run_flags

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return plain_command(capfd, monkeypatch)


def change(task: str, key: str, value: object) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / task / "manifest.json"
        data = json.loads(path.read_text())
        *parents, last = key.split(".")
        inner: Any = data
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
        path.write_text(json.dumps(data))

    return apply


def replace_model(content: bytes) -> Callable[[Path], None]:
    """Put other bytes in the model's place, and the digest that fits them."""

    def apply(folder: Path) -> None:
        (folder / "genre" / "model.tflite").write_bytes(content)
        change("genre", "sha256", hashlib.sha256(content).hexdigest())(folder)

    return apply


def write_manifest(text: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / "genre" / "manifest.json").write_text(text)

    return apply


def flip_a_byte(folder: Path) -> None:
    path = folder / "genre" / "model.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def cut_model(folder: Path) -> None:
    content = (folder / "genre" / "model.tflite").read_bytes()
    replace_model(content[: len(content) // 2])(folder)


def foreign_model(folder: Path) -> None:
    replace_model((folder / "tempo" / "model.tflite").read_bytes())(folder)


def tempo_in_place_of_genre(folder: Path) -> None:
    shutil.rmtree(folder / "genre")
    shutil.copytree(folder / "tempo", folder / "genre")


def no_models(folder: Path) -> None:
    """Take all models away."""
    shutil.rmtree(folder)
    folder.mkdir()


MODEL_FAULTS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "wrong digest": (flip_a_byte, ("SHA-256", "restore")),
    "cut": (cut_model, ("not a TFLite model",)),
    "text": (replace_model(b"this is no model"), ("not a TFLite model",)),
    "empty": (replace_model(b""), ("not a TFLite model",)),
    "foreign": (foreign_model, ("manifest says",)),
    "exchanged": (tempo_in_place_of_genre, ("is for tempo, not genre",)),
    "missing": (no_models, ("no model", "restore")),
    "no file": (change("genre", "file", "other.tflite"), ("other.tflite", "restore")),
    "outside": (change("genre", "file", "../tempo/model.tflite"), ("plain name",)),
    "other features": (change("genre", "feature.spec.hop", 512), ("feature definition", "export")),
    "no labels": (change("genre", "output", {}), ("labels",)),
    "bad shape": (change("genre", "input.frames", -1), ("frames=-1",)),
    "no name": (change("genre", "file", "\ud800"), ("plain name",)),
    "endless window": (change("tempo", "input.frames", 10**400), ("from 1 to",)),
    "endless number": (change("genre", "calibration.temperature", 10**400), ("malformed",)),
    "no number": (change("genre", "calibration.temperature", "warm"), ("malformed",)),
    "not JSON": (write_manifest("{"), ("malformed",)),
    "a list": (write_manifest("[]"), ("malformed",)),
}


@pytest.mark.parametrize("fault", MODEL_FAULTS)
def test_model_that_can_not_be_trusted(command: Command, tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "models"
    shutil.copytree(MODELS, folder)
    spoil, says = MODEL_FAULTS[fault]
    spoil(folder)
    command.fails(*run_flags("--models", str(folder), "--input", "demo"), code=4, says=("model", *says))


@pytest.mark.parametrize("fault", ["missing", "garbage", "other keys", "other shape", "other output"])
def test_golden_file_that_does_not_fit(command: Command, tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "models"
    shutil.copytree(MODELS, folder)
    path = folder / "genre" / "golden.npz"
    shape = json.loads((folder / "genre" / "manifest.json").read_text())
    window = np.zeros((shape["input"]["frames"], 128), np.float32)
    logits = np.full(len(shape["output"]["labels"]) + 1, 1e6, np.float32)
    path.unlink(missing_ok=True)
    if fault == "garbage":
        path.write_bytes(b"PK\x03\x04 and then nothing")
    elif fault == "other keys":
        np.savez(path, a=window)
    elif fault == "other shape":
        np.savez(path, window=window[1:], logits=logits)
    elif fault == "other output":
        np.savez(path, window=window, logits=logits)
    command.fails("models", "verify", "--models", str(folder), code=4, says=("golden",))


@pytest.mark.parametrize("fault", ["wrong digest", "exchanged", "not JSON"])
def test_a_refused_folder_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    folder = tmp_path / "models"
    loaded: list[Path] = []
    shutil.copytree(MODELS, folder)
    MODEL_FAULTS[fault][0](folder)
    monkeypatch.setattr(heads, "TfliteModel", lambda folder, **_: loaded.append(folder))
    with pytest.raises(ModelError):
        heads.load_heads(folder)
    assert not loaded
