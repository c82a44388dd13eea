"""Silence has causes: zeros, quiet, and sound on a channel that nobody listens to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.types import AudioBlock, Level, Status
from tests.support.fakes import drum_loop

if TYPE_CHECKING:
    from stream_analyzer.types import F32

RATE_HZ = 8000
SONG = drum_loop(4.0, rate_hz=RATE_HZ)
NOTHING = np.zeros_like(SONG)
NOISE = (np.random.default_rng(3).standard_normal(SONG.shape) * 1e-4).astype(np.float32)  # -80 dBFS


def statuses(samples: F32, *, spare: int = 0, channel: int | None = None, cuts: int = 40) -> list[Status]:
    analyzer = Analyzer([], channel=channel)
    parts = np.array_split(samples, cuts)
    events = [event for part in parts for event in analyzer.feed(AudioBlock(part, RATE_HZ, spare=spare))]
    return [event for event in events if isinstance(event, Status)]


def causes(samples: F32, **more: Any) -> list[tuple[str, int | None]]:
    """Return the causes of silence in order, repetitions left out."""
    found = [(status.silence, status.sound_on) for status in statuses(samples, **more) if status.state == "silent"]
    return list(dict.fromkeys(found))


def test_zeros_are_told_from_quiet() -> None:
    assert causes(np.hstack([NOTHING, NOTHING])) == [("zeros", None)]
    assert causes(np.hstack([NOISE, NOISE])) == [("quiet", None)]
    assert causes(np.hstack([NOISE, NOTHING])) == [("quiet", None)]


def test_a_mute_switch_is_noticed_whatever_was_before() -> None:
    assert causes(np.concatenate([SONG, NOISE, NOTHING])) == [("quiet", None), ("zeros", None)]
    assert causes(np.concatenate([NOTHING, NOISE])) == [("zeros", None), ("quiet", None)]


def test_while_there_is_sound_there_is_no_cause() -> None:
    assert {(status.silence, status.sound_on) for status in statuses(SONG)} == {("none", None)}
    assert causes(np.concatenate([NOTHING, SONG, NOISE, NOISE]))[-1] == ("quiet", None)


@pytest.mark.parametrize("number", [3, 7, 8])
def test_the_channel_with_sound_is_named(number: int) -> None:
    channels = [NOTHING] * 8
    channels[number - 1] = SONG
    samples = np.hstack(channels)
    assert causes(samples, spare=6) == [("elsewhere", number)]
    assert causes(samples, channel=1) == [("elsewhere", number)]
    last = statuses(samples, spare=6)[-1]
    assert f"channel {number} has sound; listen to it with --channel {number}" in last.detail


def test_the_loudest_of_several_is_named() -> None:
    assert causes(np.hstack([NOTHING, NOTHING, 0.1 * SONG, SONG]), spare=2)[-1] == ("elsewhere", 4)


def test_a_mix_that_drowns_one_channel_names_it() -> None:
    faint = np.float32(0.015) * SONG
    assert causes(np.hstack([NOTHING] * 30 + [faint, NOTHING]))[-1] == ("elsewhere", 31)


def test_noise_elsewhere_is_no_sound() -> None:
    assert causes(np.hstack([NOTHING, NOTHING, NOISE, NOISE]), spare=2) == [("zeros", None)]


def test_what_is_not_a_number_elsewhere_is_no_sound_and_no_trouble() -> None:
    broken = np.full_like(SONG, np.nan)
    assert causes(np.hstack([NOTHING, broken]), spare=1) == [("zeros", None)]


def test_spare_channels_change_nothing_of_what_is_heard() -> None:
    alone, beside = Analyzer([]), Analyzer([])
    for part in np.array_split(SONG, 13):
        plain = [e for e in alone.feed(AudioBlock(part, RATE_HZ)) if isinstance(e, Level)]
        wide = AudioBlock(np.hstack([part, np.ones_like(part)]), RATE_HZ, spare=1)
        assert [e for e in beside.feed(wide) if isinstance(e, Level)] == plain


@settings(max_examples=20, deadline=None)
@given(cuts=st.integers(1, 300))
def test_the_cut_into_blocks_makes_no_difference(cuts: int) -> None:
    samples = np.hstack([np.concatenate([SONG, NOTHING, NOISE]), np.concatenate([NOTHING, SONG, NOTHING])])
    assert statuses(samples, spare=1, cuts=cuts) == statuses(samples, spare=1, cuts=1)


def test_faint_music_is_heard_above_its_noise_and_noise_is_not() -> None:
    faint = np.float32(8e-4) * drum_loop(12.0, rate_hz=RATE_HZ)  # its peaks below -60 dBFS
    noise = (np.random.default_rng(4).standard_normal(faint.shape) * 2e-5).astype(np.float32)
    states = [status.state for status in statuses(faint + noise, cuts=120)]
    assert np.abs(faint).max() < 1e-3
    assert "silent" in states[:3], "until it is sure that something moves"
    assert set(states[-8:]) == {"live"}
    assert {status.state for status in statuses(10.0 * noise, cuts=120) if status.time_s > 1.1} == {"silent"}


def test_noise_is_silence_soon_after_the_music() -> None:
    noise = np.concatenate([NOISE, NOISE])
    found = statuses(np.concatenate([SONG, noise]), cuts=120)
    first = next(status for status in found if status.state == "silent")
    assert first.silence == "quiet"
    assert first.time_s == pytest.approx(5.0, abs=0.2)
    assert {status.state for status in found if status.time_s > first.time_s} == {"silent"}
