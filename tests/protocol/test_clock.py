"""The sample clock on a clock of one's own, and beats that are struck when they fall: once, and not late."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_analyzer.protocol.clock import Beats, SampleClock
from stream_analyzer.protocol.kinds import Hello, Source, SpectrumScale
from stream_analyzer.types import Beat, Level, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

HELLO = Hello("1", "", Source("device", "", 0, 0), {}, SpectrumScale(1, 0.0, 0.0, 50.0), (), (), {"level": 0.1})
BEAT = Beat(10.1, 10.04, 4, 4, 0.9, 10.54, 120.0)


def level(time_s: float) -> Level:
    return Level(time_s, -20.0, -3.0, clipping=False)


def status(time_s: float, latency_s: float) -> Status:
    return Status(time_s, "live", "", 0.0, 0.0, 0, 0, latency_s=latency_s)


def test_nothing_is_known_before_a_message() -> None:
    clock = SampleClock()
    clock.hear(HELLO, 5.0)
    assert clock.at_s(1.0) == math.inf


def test_sound_came_before_the_message_that_tells_of_it() -> None:
    clock = SampleClock(trip_s=0.004)
    clock.hear(HELLO, 100.0)
    clock.hear(status(10.0, 0.062), 110.0)
    # 62 ms from a sample to its message, of which 50 ms are the mean wait for the end of the step.
    assert clock.at_s(10.0) == pytest.approx(110.0 - 0.012 - 0.004)
    assert clock.at_s(10.5) == pytest.approx(110.5 - 0.016)
    clock.hear(status(11.0, 0.01), 111.0)
    assert clock.at_s(11.0) == pytest.approx(110.996), "a sound is not heard before it is there"


@given(st.lists(st.floats(0.0, 0.4), min_size=1, max_size=25))
def test_messages_that_come_late_move_nothing(late_s: Sequence[float]) -> None:
    clock = SampleClock()
    for step, late in enumerate([0.0, *late_s]):
        clock.hear(level(10.0 + step / 10), 50.0 + step / 10 + late)
        assert clock.at_s(20.0) == pytest.approx(60.0)


def test_a_clock_that_runs_apart_is_followed() -> None:
    clock = SampleClock()
    for step in range(600):  # of a minute, 0.1 % too slow
        clock.hear(level(10.0 + step / 10), 50.0 + 1.001 * step / 10)
    assert clock.at_s(69.9) == pytest.approx(50.0 + 1.001 * 59.9, abs=0.004)


def test_another_session_has_another_clock() -> None:
    clock = SampleClock()
    clock.hear(level(1000.0), 1000.0)
    clock.hear(HELLO, 1001.0)
    clock.hear(level(0.1), 1001.1)
    assert clock.at_s(1.0) == pytest.approx(1002.0)


def test_the_first_beat_is_struck_when_it_comes_and_the_next_when_it_falls() -> None:
    beats = Beats()
    assert beats.due_s is None
    assert beats.hear(level(10.0), 20.0) is None
    assert beats.hear(BEAT, 20.1) == BEAT
    assert beats.due_s == pytest.approx(20.54)
    struck = beats.strike()
    assert struck == Beat(10.1, 10.54, 1, 4, 0.9, 11.04, 120.0), "the downbeat follows the last of the bar"
    assert beats.due_s is None, "nobody knows whether there is another"
    come = Beat(10.6, 10.55, 1, 4, 0.9, 11.05, 120.0)
    assert beats.hear(come, 20.6) is None, "it was struck"
    assert beats.due_s == pytest.approx(21.05)


def test_a_beat_that_comes_before_it_was_struck_is_struck_at_once() -> None:
    beats = Beats()
    beats.hear(BEAT, 20.1)
    come = replace(BEAT, time_s=10.6, beat_s=10.52, next_s=11.02)
    assert beats.hear(come, 20.53) == come


def test_a_beat_elsewhere_than_foretold_is_another_one() -> None:
    beats = Beats()
    beats.hear(BEAT, 20.1)
    beats.strike()
    other = replace(BEAT, time_s=10.9, beat_s=10.83, next_s=11.33)
    assert beats.hear(other, 20.9) == other


def test_while_the_bar_is_unknown_so_is_the_next_number() -> None:
    beats = Beats()
    beats.hear(replace(BEAT, number=None, beats_in_bar=None), 20.1)
    struck = beats.strike()
    assert struck
    assert (struck.number, struck.beats_in_bar) == (None, None)
