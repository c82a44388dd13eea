"""How the following of a set is measured: order of tracks, times to switch, false switches, accuracy over time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_analyzer.analysis.smoothing import RollingMean
from training.studies.genre_switch import ArithmeticMean, Judged, SurprisedMean, accuracy_at, arrange, follow

pytestmark = pytest.mark.train

SECONDS = 30


def judged(tracks: int) -> Judged:
    """Return one window a second; the labels are for the test to make up."""
    time_s = np.arange(1.0, tracks * SECONDS + 1.0)
    track = np.repeat(np.arange(tracks), SECONDS)
    return Judged(time_s, track, time_s - SECONDS * track, np.zeros((len(track), 3), np.float32))


@given(truth=st.lists(st.integers(0, 4), min_size=1, max_size=60), seed=st.integers(0, 99))
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_neighbours_differ_and_none_comes_twice(truth: list[int], seed: int) -> None:
    order = arrange(np.array(truth), np.random.default_rng(seed))
    labels = [truth[index] for index in order]
    assert len(set(order)) == len(order)
    assert all(a != b for a, b in pairwise(labels))
    left = {truth[index] for index in set(range(len(truth))) - set(order)}
    assert left <= {labels[-1]}, "only the last track's own genre is left over"


def test_times_to_switch_are_counted_from_the_change() -> None:
    shown = np.zeros(3 * SECONDS, np.int64)
    shown[SECONDS + 4 :] = 2  # the old one is gone after 5 s
    shown[SECONDS + 6 :] = 1  # the new one there after 7 s
    shown[2 * SECONDS + 8 :] = 2
    found = follow(judged(3), shown, np.array([0, 1, 2]))
    assert (found["changes"], found["switch_s_median"], found["switch_s_p90"]) == (2, 9.0, 9.0)
    assert found["old_gone_s_p90"] == 9.0
    assert (found["old_after_15_s"], found["false_a_minute"]) == (0.0, 0.0)


def test_a_label_that_never_comes_has_no_time_and_flicker_is_counted() -> None:
    shown = np.zeros(2 * SECONDS, np.int64)
    shown[-10:] = 2
    shown[-5] = 0
    found = follow(judged(2), shown, np.array([0, 1]))
    assert found["switch_s_median"] is None
    assert found["old_after_15_s"] == 1.0
    assert found["false_a_minute"] == pytest.approx(60.0 * 3 / 16)
    assert follow(judged(2), shown, np.array([1, 1]))["changes"] == 0


def test_accuracy_is_read_at_the_latest_window() -> None:
    right = np.zeros(2 * SECONDS, bool)
    right[[2, SECONDS + 2, SECONDS + 5]] = True  # windows that end 3 and 6 s into a track
    both, second = (accuracy_at(judged(2), right, first=first) for first in (0, 1))
    assert (both["right_at_3.1_s"], both["right_at_6_s"], both["right_at_10_s"]) == (1.0, 0.5, 0.0)
    assert second["right_at_6_s"] == 1.0


def test_the_other_memories_average_and_forget_as_they_say() -> None:
    a, b = np.log(np.array([[0.9, 0.1], [0.2, 0.8]], np.float32))
    mean = ArithmeticMean(time_constant_s=1e9)
    mean.update(a, time_s=1.0)
    np.testing.assert_allclose(np.exp(mean.update(b, time_s=2.0)), [0.55, 0.45], atol=1e-5)
    calm, plain = SurprisedMean(time_constant_s=5.0, surprise=9.0), RollingMean(time_constant_s=5.0)
    for memory in (calm, plain):
        memory.update(a, time_s=1.0)
    np.testing.assert_allclose(calm.update(a, time_s=2.0), plain.update(a, time_s=2.0), atol=1e-6)
    assert calm.update(b, time_s=3.0)[1] > plain.update(b, time_s=3.0)[1], "a contradiction is followed sooner"
