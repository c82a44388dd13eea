"""Where the sound of a capture stands on the computer's clock: late blocks, clocks that drift, sound dropped unsaid."""

from __future__ import annotations

import numpy as np
import pytest

from stream_analyzer.sound.device.arrivals import Arrivals

BLOCK_S = 0.1


def count(arrivals: Arrivals, from_s: float, seconds: float, *, speed: float = 1.0, late_s: float = 0.02) -> float:
    """Let blocks come for a while, each up to ``late_s`` late; return what is told to be missing."""
    rng = np.random.default_rng(1)
    blocks = range(1, round(seconds / BLOCK_S) + 1)
    return sum(arrivals.count(BLOCK_S, now_s=from_s + one * BLOCK_S / speed + late_s * rng.random()) for one in blocks)


def test_sound_that_comes_as_it_should_is_whole() -> None:
    arrivals = Arrivals()
    assert arrivals.heard_until_s == 0.0
    assert count(arrivals, 100.0, 60.0) == 0.0
    assert arrivals.heard_until_s == pytest.approx(160.0, abs=0.03)


@pytest.mark.parametrize("speed", [1.0001, 0.9999])
def test_hours_of_drift_are_no_loss(speed: float) -> None:
    arrivals = Arrivals()
    assert count(arrivals, 0.0, 2 * 3600.0, speed=speed) == 0.0
    assert arrivals.heard_until_s == pytest.approx(2 * 3600.0 / speed, abs=0.03)


def test_what_was_kept_while_the_machine_stood_still_is_no_loss() -> None:
    arrivals = Arrivals()
    count(arrivals, 0.0, 20.0)
    assert sum(arrivals.count(BLOCK_S, now_s=26.0 + block / 1000) for block in range(60)) == 0.0
    assert arrivals.heard_until_s == pytest.approx(26.0, abs=0.1)
    assert count(arrivals, 26.0, 30.0) == 0.0


def test_half_of_what_was_kept_tells_until_when_was_heard() -> None:
    arrivals = Arrivals()
    count(arrivals, 0.0, 20.0)
    for block in range(30):
        arrivals.count(BLOCK_S, now_s=26.0 + block / 1000)
    assert arrivals.heard_until_s == pytest.approx(23.0, abs=0.1)


def test_what_a_driver_dropped_without_a_word_is_counted_once() -> None:
    arrivals = Arrivals()
    count(arrivals, 0.0, 20.0)
    assert count(arrivals, 24.0, 30.0) == pytest.approx(4.0, abs=0.03)
    assert count(arrivals, 54.0, 30.0) == 0.0


def test_a_device_of_another_rate_loses_nothing_by_it() -> None:
    assert count(Arrivals(), 0.0, 60.0, speed=44_100 / 48_000) == 0.0


def test_what_is_missing_between_captures_is_counted_with_the_first_block() -> None:
    before = Arrivals()
    count(before, 100.0, 20.0, late_s=0.0)
    assert Arrivals(before).count(BLOCK_S, now_s=123.0 + BLOCK_S) == pytest.approx(3.0)
    assert Arrivals(Arrivals()).count(BLOCK_S, now_s=123.0) == 0.0, "nothing was heard before"


def test_first_blocks_that_come_late_do_not_add_up_over_a_night() -> None:
    capture = Arrivals()
    count(capture, 0.0, 20.0, late_s=0.0)
    counted_s, capture_s = 20.0, 30.0
    for one in range(1, 40):
        begin_s = one * (capture_s + 5.0)
        capture = Arrivals(capture)
        counted_s += BLOCK_S + capture.count(BLOCK_S, now_s=begin_s + BLOCK_S + 0.2)
        counted_s += capture_s - BLOCK_S + count(capture, begin_s + BLOCK_S, capture_s - BLOCK_S, late_s=0.0)
        assert counted_s == pytest.approx(begin_s + capture_s + 0.2, abs=0.01), "ahead by what the newest was late"


def test_a_gap_shorter_than_what_was_counted_too_much_leaves_the_rest_for_the_next() -> None:
    first = Arrivals()
    count(first, 0.0, 20.0, late_s=0.0)
    late = Arrivals(first)
    assert late.count(BLOCK_S, now_s=21.0 + BLOCK_S) == pytest.approx(1.0)
    count(late, 20.6 + BLOCK_S, 10.0, late_s=0.0)
    soon = Arrivals(late)
    assert soon.count(BLOCK_S, now_s=late.heard_until_s + 0.1 + BLOCK_S) == 0.0
    assert Arrivals(soon).count(BLOCK_S, now_s=soon.heard_until_s + 1.0 + BLOCK_S) == pytest.approx(0.7)
