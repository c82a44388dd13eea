"""The whole training path on tiny generated data: prepare -> train -> export -> evaluate -> the serving code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stream_analyzer.analysis.manifest import load_manifest
from stream_analyzer.analysis.model import TfliteModel
from tests.training.commands import command

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
TINY = (
    "net.units=8", "float.steps=4", "float.batch=8", "float.warmup=1",
    "float.validate_every=2",
    "int8.steps=2", "int8.batch=8", "int8.warmup=1", "int8.validate_every=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with prepared data in ``data``, a finished run in ``run`` and the exported ``model``."""
    folder = tmp_path_factory.mktemp("path")
    command("training.prepare", "gtzan", "fma-small", "audio", "--data", data, "--out", folder / "data")
    overrides = [part for setting in TINY for part in ("--set", setting)]
    train = ("training.train", ROOT / "training/configs/genre.toml", "--prepared", folder / "data")
    command(*train, "--out", folder / "run", *overrides)
    command("training.export", folder / "run", "--prepared", folder / "data", "--out", folder / "model")
    return folder


def test_exported_model_replays_its_golden_window(run: Path) -> None:
    model = TfliteModel(run / "model")
    with np.load(run / "model" / "golden.npz") as golden:
        np.testing.assert_array_equal(model.run(golden["window"]), golden["logits"])


def test_exported_model_does_not_hear_gain(run: Path) -> None:
    model = TfliteModel(run / "model")
    with np.load(run / "model" / "golden.npz") as golden:
        window = golden["window"]
    louder = model.run(np.minimum(window + 3.0, 9.0))
    assert np.abs(louder - model.run(window)).max() < 0.3 * max(1.0, np.abs(louder).max())


def test_manifest_and_card_state_both_sets(run: Path) -> None:
    manifest = load_manifest(run / "model")
    assert {row["dataset"] for row in manifest.metrics} == {"gtzan", "fma-small", "audio"}
    assert all({"float", "int8", "n", "split"} <= set(row) for row in manifest.metrics)
    card = (run / "model" / "CARD.md").read_text()
    assert "Known failures" in card
    assert "{" not in card


def test_evaluate_reports_every_set(run: Path, data: Path) -> None:
    text = command("training.evaluate", "genre", "--data", data, "--model", run / "model", "--json")
    report = json.loads(text)
    assert {"gtzan", "fma-small", "music, gtzan", "perhaps music, fma-small", "music, sounds"} <= set(report)
    assert {"n", "clip_accuracy", "window_accuracy", "ece", "recall"} <= set(report["gtzan"])
    assert report["gtzan"]["n"] == 4
    negative = [part for name, part in report.items() if name.startswith("not music")]
    assert sum(part["n"] for part in negative) == 8
    assert all(0.0 <= part["never_confident"] <= 1.0 for part in negative)
    assert report["music, gtzan"]["windows"] == 4 * 28
    assert report["music, sounds"]["n"] == 2
    assert report["sound beside features, gtzan valid"]["n"] == 1
    shown = report["as shown"]["gtzan"]
    assert (shown["n"], shown["songs"]) == (1, 1), "the clip of the train list does not count"
    assert {"by_song", "by_song_95", "over_genres"} <= set(shown["shown_at_end"])


def test_switching_is_measured_for_every_setting(run: Path, data: Path) -> None:
    text = command("training.evaluate", "genre-switch", "--data", data, "--model", run / "model", "--json")
    report = json.loads(text)
    first = next(iter(report.values()))
    assert {"changes", "switch_s_median", "false_a_minute", "right_at_3.1_s", "right_at_20_s", "ece"} <= set(first)
    assert {name.partition(",")[0] for name in report} == {"gtzan", "fma-small"}
    assert "gtzan, from silence" in report


def test_training_continues_where_it_stopped(run: Path) -> None:
    log = (run / "run" / "log.jsonl").read_text()
    overrides = [part for setting in TINY for part in ("--set", setting)]
    train = ("training.train", ROOT / "training/configs/genre.toml", "--prepared", run / "data")
    command(*train, "--out", run / "run", *overrides)
    assert (run / "run" / "log.jsonl").read_text() == log


def test_report_draws_pictures_and_tables_into_the_model_folder(run: Path) -> None:
    model = run / "model"
    command("training.report", "genre", "--run", run / "run", "--prepared", run / "data", "--model", model)
    sizes = {"confusion": (880, 416), "reliability": (720, 336), "examples": (840, 272), "learning": (560, 400)}
    for name, size in sizes.items():
        with Image.open(model / f"{name}.png") as picture:
            picture.load()
            assert picture.size == size
        assert 3_000 < (model / f"{name}.png").stat().st_size < 150_000
    tables = (model / "genres.md").read_text()
    assert "| Electronic | genre | 2 | 1 |" in tables
    assert "| Blues | genre | 0 | 0 | - | - | 2 | 1 |" in tables
    assert "| Compilation | no | 0 | 0 | - | - | 0 | 0 | - | - |" in tables
    assert load_manifest(model).sha256[:16] in tables
    linked = re.findall(r"\]\((\w+\.\w+)\)", (model / "CARD.md").read_text())
    assert {*(f"{name}.png" for name in sizes), "genres.md"} == set(linked)
