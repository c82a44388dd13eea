"""Moments: rows of made-up music through the tracker, and the head after that of energy."""

from __future__ import annotations

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.energy.head import EnergyHead
from stream_analyzer.analysis.energy.measures import FULL_SCALE
from stream_analyzer.analysis.features import StreamingLogMel
from stream_analyzer.analysis.moment.head import MomentHead
from stream_analyzer.analysis.moment.past import Bands
from stream_analyzer.analysis.moment.tracker import MomentTracker
from stream_analyzer.types import AudioBlock, Moment

RATE_HZ = 22_050
Row = tuple[float, ...]


def heard(
    bass_db: float,
    onsets: float,
    octaves: float,
    level_db: float,
    *,
    hiss_db: float = -40.0,
    kick_db: float | None = None,
) -> Row:
    """Return a row: bass, onsets a second, octaves of brightness, level; hiss, and the kick if it isn't the bass."""
    levels_db = (bass_db if kick_db is None else kick_db, hiss_db, level_db)
    powers = (FULL_SCALE * 10.0 ** (db / 10.0) for db in levels_db)
    return (bass_db, onsets, octaves, level_db, *powers)


GROOVE, QUIET = heard(-18.0, 5.0, 10.0, -15.0), heard(-60.0, 3.0, 10.0, -25.0, hiss_db=-55.0)


def held(row: Row, seconds: float) -> list[Row]:
    return [row] * round(10 * seconds)


def rising(seconds: float, *, bass_db: float = -60.0) -> list[Row]:
    """Return rows in which onsets, brightness, hiss and level rise without the kick; snares may fill the bass."""
    shares = np.linspace(0.0, 1.0, round(10 * seconds))
    return [
        heard(
            bass_db,
            3.0 + 10.0 * share,
            10.0 + 1.5 * share,
            -25.0 + 9.0 * share,
            hiss_db=-55.0 + 20.0 * share,
            kick_db=-60.0,
        )
        for share in shares
    ]


def told(*parts: list[Row]) -> list[Moment]:
    tracker = MomentTracker()
    rows = [row for part in parts for row in part]
    return [moment for index, row in enumerate(rows, 1) for moment in tracker.push(row, time_s=index / 10)]


def turns(moments: list[Moment]) -> list[str]:
    return [moment.turn for moment in moments]


def test_a_breakdown_a_build_up_and_a_drop_are_told_in_their_order() -> None:
    moments = told(held(GROOVE, 30.0), held(QUIET, 10.0), rising(12.0), held(GROOVE, 10.0))
    assert turns(moments) == ["breakdown", "build_up", "drop"]
    breakdown, build, drop = moments
    assert 29.5 <= breakdown.at_s <= 31.0
    assert 40.0 <= build.time_s <= 52.0
    assert 52.0 <= drop.time_s <= 53.0
    assert abs(drop.at_s - 52.0) <= 0.3
    assert all(0.5 <= moment.confidence <= 1.0 for moment in moments)


def test_snares_that_fill_the_bass_before_a_drop_do_not_hide_it() -> None:
    moments = told(held(GROOVE, 30.0), held(QUIET, 10.0), rising(12.0, bass_db=-20.0), held(GROOVE, 10.0))
    assert turns(moments)[-1] == "drop"
    assert abs(moments[-1].at_s - 52.0) <= 0.3


@pytest.mark.parametrize(("hz", "louder"), [(60.0, 0), (130.0, None), (8_000.0, 1)])
def test_the_lowest_band_is_the_kick_and_the_second_is_hiss(hz: float, louder: int | None) -> None:
    sound = 0.1 * np.sin(2.0 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)
    *bands, everything = Bands().powers(StreamingLogMel().push(sound.astype(np.float32)))
    shares = [band / everything for band in bands]
    assert [share > 0.5 for share in shares] == [index == louder for index in range(2)]
    assert 10.0 * np.log10(everything / FULL_SCALE) == pytest.approx(-23.0, abs=1.5)
    assert Bands().powers(np.empty((0, 128), np.float32)) == (0.0, 0.0, 0.0)


def test_a_steady_groove_and_a_beginning_tell_nothing() -> None:
    assert told(held(GROOVE, 120.0)) == []
    assert told(held(QUIET, 10.0), held(GROOVE, 40.0)) == []


def test_a_bar_without_bass_is_no_drop() -> None:
    assert told(held(GROOVE, 40.0), held(heard(-60.0, 5.0, 10.0, -17.0), 1.9), held(GROOVE, 20.0)) == []


def test_bass_that_comes_back_softer_is_no_drop() -> None:
    soft = heard(-27.0, 5.0, 10.0, -22.0, hiss_db=-47.0)
    assert "drop" not in turns(told(held(GROOVE, 40.0), held(QUIET, 8.0), rising(8.0), held(soft, 10.0)))


def test_bass_that_does_not_stay_is_no_drop() -> None:
    hit = held(GROOVE, 0.2)
    assert "drop" not in turns(told(held(GROOVE, 40.0), held(QUIET, 8.0), rising(8.0), hit, held(QUIET, 5.0)))


def test_a_reset_tracker_is_a_new_one() -> None:
    tracker, parts = MomentTracker(), [*held(GROOVE, 30.0), *held(QUIET, 6.0)]
    runs = []
    for _ in range(2):
        tracker.reset()
        runs.append([moment for i, row in enumerate(parts, 1) for moment in tracker.push(row, time_s=i / 10)])
    assert runs[0] == runs[1] != []


def test_the_head_hears_what_energy_says() -> None:
    time_s = np.arange(20 * RATE_HZ) / RATE_HZ
    noise = np.random.default_rng(2).normal(0.0, 0.05, len(time_s))
    hits = noise * np.exp(-20.0 * (time_s % 0.25))
    kick = 0.5 * np.sin(2.0 * np.pi * 60.0 * time_s) * np.exp(-8.0 * (time_s % 0.5))
    sound = np.concatenate([hits + kick, hits + kick, hits[: 10 * RATE_HZ]]).astype(np.float32)
    for heads, expected in (([EnergyHead(), MomentHead()], ["breakdown"]), ([MomentHead()], [])):
        events = Analyzer(heads).feed(AudioBlock(sound[:, None], RATE_HZ))  # type: ignore[arg-type]
        found = [event for event in events if isinstance(event, Moment)]
        assert turns(found) == expected
        assert all(abs(moment.at_s - 40.0) < 1.5 for moment in found)
