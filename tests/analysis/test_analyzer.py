"""The whole signal path: one result for any cut, states, lost sound, silence, broken samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_analyzer.analysis.analyzer import Analyzer, spectrum_levels
from stream_analyzer.types import AudioBlock, Genre, Level, Spectrum, Status, Tempo
from tests.support.fakes import FakeModel, drum_loop, make_fakes

if TYPE_CHECKING:
    from stream_analyzer.analysis.head import Head
    from stream_analyzer.kinds import Described
    from stream_analyzer.types import F32

RATE_HZ = 22_050
MUSIC = drum_loop(7.0, bpm=120.0)


def feed(
    analyzer: Analyzer, samples: F32, *, rate_hz: int = RATE_HZ, lost: int = 0, end: bool = False
) -> list[Described]:
    events = analyzer.feed(AudioBlock(samples, rate_hz, lost=lost))
    return events + (analyzer.end() if end else [])


def states(events: list[Described]) -> list[str]:
    changes: list[str] = []
    for event in events:
        if isinstance(event, Status) and changes[-1:] != [event.state]:
            changes.append(event.state)
    return changes


def same(left: list[Described], right: list[Described]) -> bool:
    def plain(events: list[Described]) -> list[Any]:
        return [(e.time_s, e.levels.tobytes()) if isinstance(e, Spectrum) else e for e in events]

    return plain(left) == plain(right)


WHOLE = feed(Analyzer(make_fakes()), MUSIC, end=True)


@given(cuts=st.lists(st.integers(0, len(MUSIC)), max_size=40))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_cut_gives_identical_events(cuts: list[int]) -> None:
    analyzer = Analyzer(make_fakes())
    events = [event for part in np.split(MUSIC, sorted(cuts)) for event in feed(analyzer, part)]
    assert same(events + analyzer.end(), WHOLE)


def test_single_samples_give_identical_events() -> None:
    analyzer = Analyzer(make_fakes())
    events = [event for i in range(4000) for event in feed(analyzer, MUSIC[i : i + 1])]
    assert same(events, feed(Analyzer(make_fakes()), MUSIC[:4000]))
    assert any(isinstance(event, Level) for event in events)


def test_only_a_block_that_completes_a_step_is_analysed() -> None:
    analyzer = Analyzer(make_fakes())
    feed(analyzer, MUSIC[:100])
    for part in np.array_split(MUSIC[100:30_000], 37):
        completes = analyzer.completes_step(AudioBlock(part, RATE_HZ))
        assert bool(feed(analyzer, part)) is completes
    assert analyzer.completes_step(AudioBlock(MUSIC[:1], RATE_HZ, lost=10_000))


def test_reset_equals_new(heads: list[Head]) -> None:
    analyzer = Analyzer(heads)
    feed(analyzer, np.full((30_000, 2), np.nan, np.float32), rate_hz=48_000, lost=7)
    feed(analyzer, MUSIC)
    analyzer.reset()
    assert same(feed(analyzer, MUSIC, end=True), WHOLE)


def test_first_predictions_come_within_four_seconds_then_at_their_stride() -> None:
    tempi = [event.time_s for event in WHOLE if isinstance(event, Tempo)]
    genres = [event.time_s for event in WHOLE if isinstance(event, Genre)]
    assert tempi[0] <= 4.0
    assert genres[0] <= 4.0
    assert np.diff(tempi[1:]) == pytest.approx(0.5, abs=1e-6)
    assert np.diff(genres[1:]) == pytest.approx(1.0, abs=1e-6)


def test_states_of_plain_music() -> None:
    assert states(WHOLE) == ["warming", "live", "ended"]


def test_spectrum_has_50_columns_a_second() -> None:
    columns = sum(len(event.levels) for event in WHOLE if isinstance(event, Spectrum))
    assert columns == (len(MUSIC) - 2048) // 441 + 1


def test_spectrum_levels_span_their_range() -> None:
    decibels = np.array([[-100.0, -60.0, -10.0, 40.0, 90.0]], np.float32)
    np.testing.assert_array_equal(spectrum_levels(decibels * np.float32(np.log(10.0) / 10.0)), [[0, 0, 128, 255, 255]])


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_any_rate_and_channel_count_is_heard(heads: list[Head], rate_hz: int, channels: int) -> None:
    events = feed(Analyzer(heads), drum_loop(4.0, rate_hz=rate_hz, channels=channels), rate_hz=rate_hz, end=True)
    assert states(events) == ["warming", "live", "ended"]
    assert events[-1].time_s == pytest.approx(4.0, abs=0.01)
    loudness = [event.rms_dbfs for event in events if isinstance(event, Level)]
    reference = [event.rms_dbfs for event in WHOLE if isinstance(event, Level)]
    assert np.mean(loudness) == pytest.approx(np.mean(reference[:40]), abs=1.0)


def test_a_channel_can_be_picked(heads: list[Head]) -> None:
    left_only = np.concatenate([MUSIC, np.zeros_like(MUSIC)], axis=1)
    assert same(feed(Analyzer(heads, channel=1), left_only, end=True), WHOLE)
    assert "live" not in states(feed(Analyzer(make_fakes(), channel=2), left_only))


def test_all_tempi_lie_in_the_range_that_was_asked_for(heads: list[Head]) -> None:
    free = {e.bpm for e in feed(Analyzer(heads), MUSIC) if isinstance(e, Tempo)}
    assert max(free) > 201.0 or min(free) < 99.0, "the sound must leave the range for this to test anything"
    events = feed(Analyzer(make_fakes(tempo_range=(100.0, 200.0))), MUSIC)
    tempi = [e.bpm for e in events if isinstance(e, Tempo)]
    assert tempi
    assert all(99.0 < bpm < 201.0 for bpm in tempi)


def test_silence_holds_predictions_and_runs_no_model(heads: list[Head]) -> None:
    analyzer = Analyzer(heads)
    feed(analyzer, MUSIC)
    runs = cast("FakeModel", heads[0].model).runs
    events = feed(analyzer, np.zeros((RATE_HZ * 4, 1), np.float32))
    assert states(events)[-1] == "silent"
    held = [event for event in events if isinstance(event, Tempo | Genre) and event.age_s > 0.0]
    assert held[-1].age_s > 2.0
    assert cast("FakeModel", heads[0].model).runs - runs <= 2, "the first second is not silence yet"
    assert "nothing but zeros" in [event for event in events if isinstance(event, Status)][-1].detail


def test_music_after_a_long_silence_starts_afresh(heads: list[Head]) -> None:
    analyzer = Analyzer(heads)
    feed(analyzer, MUSIC)
    feed(analyzer, np.zeros((RATE_HZ * 5, 1), np.float32))
    events = feed(analyzer, MUSIC)
    assert states(events) == ["warming", "live"]
    assert next(event.age_s for event in events if isinstance(event, Tempo)) == 0.0


def test_silence_alone_never_predicts(heads: list[Head]) -> None:
    events = feed(Analyzer(heads), np.zeros((RATE_HZ * 6, 1), np.float32), end=True)
    assert states(events) == ["starting", "silent", "ended"]
    assert not [event for event in events if isinstance(event, Tempo | Genre)]


def test_broken_samples_become_silence_and_are_counted(heads: list[Head]) -> None:
    broken = MUSIC.copy()
    broken[1000:1010] = np.nan
    broken[2000] = np.inf
    zeroed = np.where(np.isfinite(broken), broken, 0.0).astype(np.float32)
    events = feed(Analyzer(heads), broken)
    reference = feed(Analyzer(make_fakes()), zeroed)
    assert [e for e in events if isinstance(e, Tempo | Genre | Level)] == [
        e for e in reference if isinstance(e, Tempo | Genre | Level)
    ]
    assert [event.nonfinite for event in events if isinstance(event, Status)][-1] == 11


def test_a_short_gap_is_filled_so_the_clock_stays_true(heads: list[Head]) -> None:
    analyzer = Analyzer(heads)
    events = feed(analyzer, MUSIC)
    events += feed(analyzer, MUSIC, lost=RATE_HZ // 10)
    assert states(events) == ["warming", "live", "degraded"]
    assert events[-1].time_s == pytest.approx(14.1, abs=0.1)
    events = feed(analyzer, MUSIC)
    assert states(events) == ["degraded", "live"]
    assert [event.lost_s for event in events if isinstance(event, Status)][-1] == pytest.approx(0.1)


def test_a_long_gap_starts_afresh_and_advances_the_clock(heads: list[Head]) -> None:
    analyzer = Analyzer(heads)
    feed(analyzer, MUSIC)
    events = feed(analyzer, MUSIC, lost=RATE_HZ * 60)
    assert states(events) == ["warming", "live"]
    tempi = [event for event in events if isinstance(event, Tempo)]
    assert tempi[0].time_s == pytest.approx(67.0 + 3.1, abs=0.2)
    assert events[-1].time_s == pytest.approx(74.0, abs=0.11)


def test_another_rate_or_channel_count_starts_afresh(heads: list[Head]) -> None:
    analyzer = Analyzer(heads)
    feed(analyzer, MUSIC)
    events = feed(analyzer, drum_loop(4.0, rate_hz=48_000, channels=2), rate_hz=48_000)
    assert states(events) == ["warming", "live"]
    assert events[-1].time_s == pytest.approx(11.0, abs=0.11)


def test_a_lost_device_is_told_and_comes_back(heads: list[Head]) -> None:
    analyzer = Analyzer(heads)
    feed(analyzer, MUSIC)
    lost = analyzer.device_lost("USB thing delivers no sound")
    assert [(e.state, e.detail) for e in lost if isinstance(e, Status)] == [
        ("device_lost", "USB thing delivers no sound")
    ]
    again = analyzer.device_lost("no such thing any more")
    assert [event.detail for event in again if isinstance(event, Status)] == ["no such thing any more"]
    assert states(feed(analyzer, MUSIC, lost=RATE_HZ * 3)) == ["warming", "live"]


def test_nothing_fed_ends_cleanly(heads: list[Head]) -> None:
    assert states(Analyzer(heads).end()) == ["ended"]
