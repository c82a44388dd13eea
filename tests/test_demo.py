"""The bundled demo set: its sound agrees with its table, and the command that makes it works where its tools are."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from tests.support import golden_stream
from training.music import demo

if TYPE_CHECKING:
    from stream_analyzer.types import F32

PACKAGE = Path(__file__).parent.parent / "stream_analyzer"
CAN_RENDER = all(map(shutil.which, ("mma", "fluidsynth"))) and demo.SOUND_FONT.exists()
Table = list[dict[str, Any]]


@pytest.fixture(scope="module")
def sound() -> F32:
    samples, rate_hz = soundfile.read(PACKAGE / "demo.ogg", dtype="float32", always_2d=True)
    assert rate_hz == demo.RATE_HZ
    return np.asarray(samples, np.float32)


@pytest.fixture(scope="module")
def table() -> Table:
    rows: Table = json.loads((PACKAGE / "demo.json").read_text())
    return rows


def slice_of(sound: F32, row: dict[str, Any]) -> F32:
    return sound[round(row["start_s"] * demo.RATE_HZ) : round(row["end_s"] * demo.RATE_HZ)]


def onset_strength(samples: F32) -> F32:
    """Rises of the log-mel bands, summed: [frames] at 50 a second. Every second sample is near enough to 22 050 Hz."""
    mono = samples.mean(axis=1)
    frames = StreamingLogMel().push(((mono[:-1:2] + mono[1::2]) / 2).astype(np.float32))
    rises = np.maximum(np.diff(np.maximum(frames, -8.0), axis=0), 0.0).sum(axis=1)
    return np.asarray(rises - rises.mean(), np.float32)


def best_tempo(onsets: F32, *, near_bpm: float) -> float:
    """Find the tempo within 12 % of ``near_bpm`` whose first eight beats the autocorrelation supports most."""
    correlation = np.correlate(onsets, onsets, mode="full")[len(onsets) - 1 :]
    candidates = near_bpm * np.linspace(0.88, 1.12, 241)
    lags = np.arange(1, 9) * (60 * SPEC.sample_rate_hz / SPEC.hop / candidates[:, None])
    support = np.interp(lags, np.arange(len(correlation)), correlation).sum(axis=1)
    return float(candidates[support.argmax()])


def test_demo_is_a_short_stereo_set_without_clipping(sound: F32) -> None:
    assert 60 <= len(sound) / demo.RATE_HZ <= 120
    assert sound.shape[1] == 2
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() < 0.99
    assert (PACKAGE / "demo.ogg").stat().st_size < 1_000_000


def test_table_covers_the_sound_with_different_genres_and_tempi(sound: F32, table: Table) -> None:
    assert table[0]["start_s"] == 0
    assert table[-1]["end_s"] == pytest.approx(len(sound) / demo.RATE_HZ, abs=0.002)
    assert all(before["end_s"] == after["start_s"] for before, after in pairwise(table))
    assert all(13 <= row["end_s"] - row["start_s"] <= 20 for row in table)
    assert len({row["genre"] for row in table}) >= 4
    tempi = sorted(row["bpm"] for row in table)
    assert all(fast / slow > 1.08 for slow, fast in pairwise(tempi))


def test_committed_table_is_what_the_script_would_write(table: Table) -> None:
    written = [(row["genre"], row["style"], row["bpm"]) for row in table]
    assert written == [(part.genre, part.style, part.bpm) for part in demo.PARTS]
    starts_s = np.cumsum([0.0, *(part.duration_s for part in demo.PARTS)])[:-1]
    np.testing.assert_allclose([row["start_s"] for row in table], starts_s, atol=0.01)


def test_parts_are_equally_loud(sound: F32, table: Table) -> None:
    powers = [float(np.mean(slice_of(sound, row) ** 2)) for row in table]
    assert 10 * np.log10(max(powers) / min(powers)) < 3.0


def test_each_part_beats_at_the_tempo_in_the_table(sound: F32, table: Table) -> None:
    for row in table:
        heard = best_tempo(onset_strength(slice_of(sound, row)), near_bpm=row["bpm"])
        assert heard == pytest.approx(row["bpm"], rel=0.01), row["style"]


def test_grid_becomes_an_mma_sequence() -> None:
    assert demo.to_sequence("9...", kind="Drum") == "{1.0000 0 126}"
    assert demo.to_sequence("..8_", kind="Bass") == "{3.0000 355t 1+ 100}"
    assert demo.to_sequence("....|5...", kind="Chord") == "z {1.0000 163t 70}"


@pytest.mark.skipif(not CAN_RENDER, reason="needs mma, fluidsynth and fluid-soundfont-gm")
def test_command_makes_a_set_and_makes_it_again(tmp_path: Path) -> None:
    parts = tuple(replace(part, chords=" ".join(part.chords.split()[:2])) for part in demo.PARTS[:2])
    for folder in ("a", "b"):
        demo.make(tmp_path / folder, parts)
    first, again = (soundfile.read(tmp_path / folder / "demo.ogg")[0] for folder in ("a", "b"))
    assert len(first) / demo.RATE_HZ == pytest.approx(sum(p.duration_s for p in parts) + demo.CROSSFADE_S, abs=0.01)
    assert np.array_equal(first, again)
    rows = json.loads((tmp_path / "a" / "demo.json").read_text())
    assert [row["bpm"] for row in rows] == [part.bpm for part in parts]


def test_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(SystemExit, match="apt-get install mma fluidsynth"):
        demo.run(["mma"])


def near(found: Any, golden: Any) -> bool:
    """Tell whether two JSON values are equal but for numbers, which may be a hundredth apart."""
    if isinstance(golden, dict):
        return bool(found.keys() == golden.keys()) and all(near(found[key], golden[key]) for key in golden)
    if isinstance(golden, list):
        return len(found) == len(golden) and all(near(one, two) for one, two in zip(found, golden, strict=True))
    if isinstance(golden, float):
        return bool(abs(found - golden) <= 0.01 * max(1.0, abs(golden) / 10.0))
    return bool(found == golden)


def test_the_demo_says_what_it_said() -> None:
    found, golden = golden_stream.demo_messages(), golden_stream.read_golden()
    assert len(found) == len(golden)
    assert [(one, two) for one, two in zip(found, golden, strict=True) if not near(one, two)] == []
