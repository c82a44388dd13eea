"""What the scorer measured stands in manifest and card, beside what export measured."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from stream_analyzer.analysis.manifest import sha256_of
from tests.support.fakes import fake_model
from training.publish import fill_card, publish, wilson_interval

if TYPE_CHECKING:
    from pathlib import Path

EXPORTED = {"dataset": "gtzan", "split": "valid", "n": 9, "metric": "clip_accuracy", "float": 0.61, "int8": 0.59}
SHOWN = {"by_song": 0.5, "by_song_95": [0.25, 0.75], "over_genres": 0.4, "over_genres_95": [0.2, 0.6]}
NAMES = ("shown_at_end", "shown_after_10_s", "shown_over_time", "first_two", "among_known")
GENRE_REPORT = {
    "as shown": {
        "radio2": {
            "n": 8,
            "songs": 2,
            "ece": 0.05,
            "ece_95": [0.02, 0.09],
            "ece_honest": 0.03,
            **dict.fromkeys(NAMES, SHOWN),
        },
        "average": {"shown_at_end_by_song": 0.5},
    },
    "not music, held out": {"n": 40, "never_confident": 0.95},
    "music, sounds": {"n": 12, "held_back": 0.02},
}
TEMPO = {"accuracy1": 0.8, "accuracy2": 0.9, "rmse_bpm": 21.0}
TEMPO_REPORT = {"songs": {"n": 10, **TEMPO, "shown_at_end": TEMPO, "shown_after_10_s": TEMPO, "shown_over_time": 0.7}}


def model(folder: Path, task: str) -> Path:
    folder.mkdir()
    (folder / "model.tflite").write_bytes(b"model")
    told = {"commit": "abc", "seed": 1, "licences": ["ours"]}
    digest = sha256_of(folder / "model.tflite")
    manifest = replace(fake_model(task).manifest, sha256=digest, metrics=[EXPORTED], training=told)
    (folder / "manifest.json").write_text(manifest.to_json())
    return folder


@pytest.mark.parametrize(("task", "report"), [("genre", GENRE_REPORT), ("tempo", TEMPO_REPORT)])
def test_scores_go_into_manifest_and_card(tmp_path: Path, task: str, report: dict[str, Any]) -> None:
    folder = model(tmp_path / task, task)
    for _ in range(2):  # the second time takes the place of the first
        publish(folder, task=task, report=report, split="valid")
    rows = json.loads((folder / "manifest.json").read_text())["metrics"]
    assert rows[-1] == EXPORTED, "what export measured stays"
    assert len({(row["dataset"], row["metric"]) for row in rows}) == len(rows)
    card = (folder / "CARD.md").read_text()
    assert "| gtzan | valid | 9 | clip_accuracy | 0.610 | 0.590 |" in card
    wanted = {
        "genre": "| radio2 | valid | 2 songs, 8 clips | shown at end, over genres | 0.400 | 0.200 - 0.600 |",
        "tempo": "| songs | valid | 10 | rmse_bpm, after 10 s | 21.000 | - |",
    }
    assert wanted[task] in card
    if task == "genre":
        assert "| calibration error of the label shown | 0.050 | 0.020 - 0.090 |" in card


def test_a_card_states_the_window_that_is_heard() -> None:
    facts = json.loads(fake_model("genre").manifest.to_json()) | {
        "training": {"commit": "abc", "seed": 1, "licences": []},
    }
    assert "the last 10.00 s" in fill_card("genre_card.md", facts)
    facts["input"]["live_frames"] = 63
    assert "the last 5.04 s" in fill_card("genre_card.md", facts), "live it holds no more"


def test_wilson_interval() -> None:
    assert wilson_interval(0.5, 100) == pytest.approx((0.404, 0.596), abs=1e-3)
    low, high = wilson_interval(1.0, 10)
    assert 0.7 < low < high == pytest.approx(1.0)
