"""What the genre model's pictures and tables are made of."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.genre.output import Calibration, GenreOutput, SubGenre
from stream_analyzer.analysis.manifest import ModelInput, ModelManifest
from stream_analyzer.errors import ConfigError
from training.data.dataset import FrameSet, pack
from training.data.genres import LABELS
from training.figures import learning_curve
from training.genre.report import confusion
from training.genre.scores import JudgedClips, calibration_error, reliability
from training.genre.tables import Judge, shown_sub_genre, tables

if TYPE_CHECKING:
    from stream_analyzer.types import F32

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]

SUBS = (SubGenre("Techno", "Electronic", 0.6), SubGenre("Punk", "Rock", 0.4), SubGenre("Psych-Rock", "Rock", 0.5))
MANIFEST = ModelManifest(
    name="genre",
    version="9",
    task="genre",
    file="model.tflite",
    sha256="0123456789abcdef0123",
    feature=SPEC,
    input=ModelInput(frames=126, every=4, stride=50, min_frames=38),
    output=GenreOutput(labels=LABELS, sub_genres=SUBS).to_dict(),
    calibration=asdict(Calibration(temperature=1.0, sub_temperature=2.0)),
    time_constant_s=4.0,
    metrics=[],
    training={},
)


def clips(dataset: str, *rows: tuple[str, str, str]) -> FrameSet:
    """Return clips of the given label, tags and split."""
    label, tags, split = zip(*rows, strict=True)
    silence = [np.zeros((4, 128), np.float32)] * len(rows)
    return pack(silence, frames_per_second=12.5, dataset=[dataset] * len(rows), label=label, tags=tags, split=split)


def outputs(label: str, *subs: float) -> F32:
    """Return the logits of two windows in which ``label`` wins."""
    row = np.zeros(len(LABELS) + len(SUBS) + 1, np.float32)
    row[LABELS.index(label)] = 5.0
    row[len(LABELS) : -1] = subs
    return np.stack([row - 0.5, row + 0.5])


FMA = clips(
    "fma-small",
    ("Rock", "Rock|Punk", "train"), ("Rock", "Rock|Punk", "train"), ("Rock", "Rock", "train"),
    ("Rock", "Rock|Punk", "valid"), ("Rock", "Punk|Rock", "valid"), ("Rock", "Rock|Metal", "valid"),
    ("Electronic", "Techno|Electronic", "valid"),
)  # fmt: skip
SAID = [
    outputs("Rock", -9, 1, -1),
    outputs("Folk", -9, 3, -1),
    outputs("Rock", -9, 2, -1),
    outputs("Electronic", 0, 0, 0),
]
GTZAN = clips("gtzan", ("blues", "blues", "train"), ("blues", "blues", "valid"), ("rock", "rock", "valid"))


def judged(frames: FrameSet, said: list[F32]) -> JudgedClips:
    return JudgedClips(frames.take(np.flatnonzero(frames.split == "valid")), said, temperature=1.0)


def test_name_is_ranked_by_its_own_logit() -> None:
    judge = Judge(MANIFEST, FMA, judged(FMA, SAID))
    punk = judge.rank("Punk")
    assert (punk.train, punk.held, punk.chance) == (2, 2, 0.5)
    assert punk.average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)  # ranked 3, 2 (not Punk), 1, 0
    assert punk.recall == 0.5  # the second is shown as Folk, which hides it
    assert punk.precision == 0.5
    rock = judge.rank("Rock")
    assert (rock.train, rock.held) == (3, 3)
    assert rock.recall == pytest.approx(2 / 3)
    assert rock.average_precision == pytest.approx(2 / 3 + 1 / 4)  # the third ties with a clip that is not Rock
    metal = judge.rank("Metal")  # FMA's tags know it, its classes do not: it can be ranked, but never win
    assert (metal.held, metal.recall) == (1, None)
    assert metal.average_precision is not None
    assert judge.rank("Chiptune").average_precision is None


def test_sub_genre_is_shown_as_the_stream_shows_it() -> None:
    assert shown_sub_genre(np.array([9.0, 0.0, 0.1], np.float32), "Rock", MANIFEST) == "Psych-Rock"
    assert shown_sub_genre(np.array([9.0, 0.1, 0.0], np.float32), "Rock", MANIFEST) == "Punk"
    assert shown_sub_genre(np.array([0.8, 9.0, 9.0], np.float32), "Electronic", MANIFEST) is None
    assert shown_sub_genre(np.array([0.9, 9.0, 9.0], np.float32), "Electronic", MANIFEST) == "Techno"
    assert shown_sub_genre(np.array([9.0, 9.0, 9.0], np.float32), "Folk", MANIFEST) is None


def test_tables_name_all_that_is_covered_and_what_is_not() -> None:
    said = [outputs("Blues", 0, 0, 0), outputs("Rock", 0, 0, 0)]
    text = tables(MANIFEST, [GTZAN, FMA], [judged(GTZAN, said), judged(FMA, SAID)], split="valid")
    lines = text.splitlines()
    study = lines[lines.index("## The study's 23 genres") :]
    assert sum(line.startswith("| ") for line in study[: study.index("## Sub-genres")]) == 25
    assert "12 of 23 are covered." in lines
    assert "| Blues | genre | 0 | 0 | - | - | 1 | 1 | 1.00 | 1.00 (0.50) |" in lines
    assert "| Punk | below Rock | 2 | 2 | 0.50 | 0.83 (0.50) | 0 | 0 | - | - |" in lines
    assert "| Sound Art | no | 0 | 0 | - | - | 0 | 0 | - | - |" in lines
    assert "| Punk | Rock | from 0.40 | 2 | 2 | 0.83 (0.50) | 0.50 | 0.50 |" in lines
    assert "| Techno | Electronic | from 0.60 | 0 | 1 | 1.00 (0.25) | 0.00 | - |" in lines
    assert "version 9" in text


def test_tags_without_a_place_are_listed_from_forty_clips_on() -> None:
    rows = [("Rock", "Surf|Rock", "train")] * 40 + [("Rock", "Goth|Rock", "train")] * 39 + [("Rock", "Rock", "valid")]
    many = clips("fma-small", *rows)
    text = tables(MANIFEST, [GTZAN, many], [judged(GTZAN, SAID[:2]), judged(many, SAID[:1])], split="valid")
    assert "| Surf |  | no | 40 | 0 | - | - | - |" in text
    assert "Goth" not in text


def test_reliability_of_known_cases() -> None:
    sure, unsure = [0.95, 0.05], [0.45, 0.55]
    found = reliability(np.array([sure] * 4 + [unsure] * 2, np.float32), np.array([0, 0, 0, 1, 1, 0]))
    np.testing.assert_array_equal(found.count[[5, 9]], [2, 4])
    assert found.count.sum() == 6
    np.testing.assert_allclose(found.right[[5, 9]], [0.5, 0.75])
    np.testing.assert_allclose(found.confidence[[5, 9]], [0.55, 0.95], rtol=1e-6)
    expected = (4 * 0.2 + 2 * 0.05) / 6
    assert calibration_error(np.array([sure] * 4 + [unsure] * 2, np.float32), np.array([0, 0, 0, 1, 1, 0])) == (
        pytest.approx(expected, rel=1e-5)
    )


def test_confusion_shows_shares_of_each_genres_clips() -> None:
    figure = confusion([judged(GTZAN, [outputs("Blues", 0, 0, 0), outputs("Blues", 0, 0, 0)]), judged(FMA, SAID)])
    assert [axes.get_title() for axes in figure.axes] == ["GTZAN: 50.0% of 2 clips", "FMA-small: 75.0% of 4 clips"]
    fma = figure.axes[1]
    assert sorted(text.get_text() for text in fma.texts) == ["100", "33", "67"]
    assert "Rock (3)" in [label.get_text() for label in fma.get_yticklabels()]


def test_run_without_a_log_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name the folder of a training run with --run"):
        learning_curve(tmp_path, {})
    (tmp_path / "log.jsonl").write_text(json.dumps({"phase": "float", "step": 1, "loss": 1.0})[:-2])
    with pytest.raises(ConfigError, match="no log of a training run"):
        learning_curve(tmp_path, {})


@pytest.mark.parametrize("model", ["genre", "tempo"])
def test_what_a_card_shows_lies_beside_it(model: str) -> None:
    folder = ROOT / "models" / model
    for name in re.findall(r"\]\((\w+\.\w+)\)", (folder / "CARD.md").read_text()):
        assert (folder / name).stat().st_size < 150_000
