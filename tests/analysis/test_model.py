"""The models that ship: golden output, manifests, and refusal of altered or foreign files."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.genre.output import GenreOutput, SubGenre
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.analysis.manifest import load_manifest, sha256_of
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.errors import FeatureMismatch, ManifestError, ModelError
from stream_analyzer.system.resources import resource_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("genre", "tempo")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a model that may be harmed."""
    return shutil.copytree(resource_folder("models") / "tempo", tmp_path / "tempo")


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", NAMES)
def test_golden_output_is_reproduced(name: str) -> None:
    TfliteModel(resource_folder("models") / name).verify()


@pytest.mark.parametrize("name", NAMES)
def test_model_keeps_its_promises(name: str) -> None:
    model = TfliteModel(resource_folder("models") / name)
    manifest = model.manifest
    assert (manifest.name, manifest.task) == (name, name)
    assert (resource_folder("models") / name / manifest.file).stat().st_size <= 3 << 19, "1.5 MiB"
    assert manifest.first_s <= 3.8, "first within 4 s"
    assert manifest.metrics
    assert {"commit", "config", "seed"} <= set(manifest.training)
    logits = model.run(
        np.full((manifest.input.frames, manifest.feature.n_mels), manifest.feature.log_floor, np.float32)
    )
    assert logits.dtype == np.float32
    assert logits.shape == (model.outputs,)


def test_verify_notices_another_output(copy: Path) -> None:
    with np.load(copy / "golden.npz") as golden:
        window, logits = golden["window"], golden["logits"]
    np.savez(copy / "golden.npz", window=window, logits=logits + 100.0)
    with pytest.raises(ModelError, match="golden output missed"):
        TfliteModel(copy).verify()
    (copy / "golden.npz").unlink()
    with pytest.raises(ModelError, match="can't read"):
        TfliteModel(copy).verify()


def test_a_manifest_survives_its_own_text(copy: Path) -> None:
    manifest = load_manifest(copy)
    (copy / "manifest.json").write_text(manifest.to_json())
    assert load_manifest(copy) == manifest


def test_an_altered_model_is_refused(copy: Path) -> None:
    data = bytearray((copy / "model.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "model.tflite").write_bytes(data)
    with pytest.raises(ManifestError, match="has SHA-256"):
        TfliteModel(copy)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x1c\x00\x00\x00TFL3" + bytes(100)])
def test_a_foreign_model_is_refused(copy: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    (copy / "model.tflite").write_bytes(content)
    edit(copy, lambda m: m.update(sha256=sha256_of(copy / "model.tflite")))
    with pytest.raises(ModelError, match="tempo"):
        TfliteModel(copy)
    assert capfd.readouterr().err == "", "the runtime's own lines stay off standard error"


def test_another_feature_definition_is_refused(copy: Path) -> None:
    edit(copy, lambda m: m["feature"]["spec"].update(hop=512))
    with pytest.raises(FeatureMismatch, match=SPEC.digest):
        TfliteModel(copy)


def test_a_wrong_shape_is_refused(copy: Path) -> None:
    edit(copy, lambda m: m["input"].update(frames=m["input"]["frames"] + 1))
    with pytest.raises(ModelError, match="its manifest says"):
        TfliteModel(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("sha256"),
        lambda m: m["output"].clear(),
        lambda m: m["input"].update(stride=0),
        lambda m: m["input"].update(colour="blue"),
        lambda m: m["input"].update(dtype="float32"),
        lambda m: m["input"].update(min_frames=True),
        lambda m: m["input"].update(live_frames=m["input"]["min_frames"] - 1),
        lambda m: m["calibration"].update(temperature=-1.0),
        lambda m: m["calibration"].pop("temperature"),
        lambda m: m.update(file="../model.tflite"),
        lambda m: m.update(feature=[]),
    ],
)
def test_a_malformed_manifest_is_refused(copy: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit(copy, change)
    with pytest.raises(ManifestError, match="malformed"):
        load_heads(copy.parent)


def test_a_model_for_something_else_is_refused(copy: Path) -> None:
    edit(copy, lambda m: m.update(task="mood"))
    with pytest.raises(ManifestError, match="is for mood, not tempo"):
        load_heads(copy.parent)


def test_a_model_with_other_outputs_than_it_says_is_refused(copy: Path) -> None:
    edit(copy, lambda m: m["output"]["bpm"].append(400.0))
    with pytest.raises(ManifestError, match="outputs, its manifest describes"):
        load_heads(copy.parent)


def test_a_head_whose_model_is_absent_is_absent(copy: Path) -> None:
    assert [head.name for head in load_heads(copy.parent) if head.model] == ["tempo"]
    with pytest.raises(ModelError, match="no model in"):
        load_heads(copy)


SUB_GENRES = {"Dub": {"parent": "Reggae", "threshold": 0.6}, "Punk": {"parent": "Rock", "threshold": 0.4}}


@pytest.fixture
def genre_copy(tmp_path: Path) -> Path:
    """A copy of the genre model, whose manifest may be harmed."""
    return shutil.copytree(resource_folder("models") / "genre", tmp_path / "genre")


def test_sub_genres_add_outputs_and_survive_their_own_text(genre_copy: Path) -> None:
    edit(genre_copy, lambda m: m["output"].update(sub_genres=SUB_GENRES))
    manifest = load_manifest(genre_copy)
    output = GenreOutput.of(manifest)
    assert output.size == len(output.labels) + 3
    assert output.sub_genres[0] == SubGenre("Dub", "Reggae", 0.6)
    assert output.to_dict() == manifest.output
    (genre_copy / "manifest.json").write_text(manifest.to_json())
    assert load_manifest(genre_copy) == manifest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m["output"].update(sub_genres=["Dub"]), "'list' object"),
        (lambda m: m["output"].update(sub_genres={"Dub": 0.5}), "malformed"),
        (lambda m: m["output"].update(sub_genres={"Dub": {"parent": "Ska", "threshold": 0.5}}), "'Ska'"),
        (lambda m: m["output"].update(sub_genres={"Rock": {"parent": "Rock", "threshold": 0.5}}), "different names"),
        (lambda m: m["output"].update(sub_genres={"": {"parent": "Rock", "threshold": 0.5}}), "different names"),
        (lambda m: m["output"].update(sub_genres={"Dub": {"parent": "Reggae", "threshold": 1.5}}), "threshold of Dub"),
        (lambda m: m["output"]["labels"].append("Rock"), "different names"),
        (lambda m: m["calibration"].pop("confident"), "confident"),
        (lambda m: m["calibration"].update(music_threshold=0.0), "music_threshold is 0.0"),
        (lambda m: m["calibration"].update(sub_temperature=float("inf")), "above 0"),
    ],
)
def test_a_malformed_genre_manifest_is_refused(
    genre_copy: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    edit(genre_copy, change)
    with pytest.raises(ManifestError, match=says):
        load_heads(genre_copy.parent)


def test_missing_files_are_named(copy: Path) -> None:
    (copy / "model.tflite").unlink()
    with pytest.raises(ManifestError, match=r"model\.tflite"):
        TfliteModel(copy)
    (copy / "manifest.json").write_text("{")
    with pytest.raises(ManifestError, match="malformed"):
        TfliteModel(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(ManifestError, match="can't read"):
        TfliteModel(copy)
