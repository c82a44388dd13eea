"""The session's timeline: bounded, in order, recent seconds complete, older ones thinner but never lost at once."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_analyzer.protocol.history import ROWS, SPANS_S, History
from stream_analyzer.types import Genre, Level, Score, Tempo

LABELS = ("Rock", "Jazz", "Techno", "Pop", "Folk", "Blues", "Disco")


def tempo(time_s: float, bpm: float = 120.0, *, confidence: float = 0.8, age_s: float = 0.0) -> Tempo:
    return Tempo(time_s, bpm, confidence, "locked", age_s, ())


def genre(time_s: float, *, first: str = "Rock", age_s: float = 0.0) -> Genre:
    order = [first, *(label for label in LABELS if label != first)]
    scores = tuple(Score(label, 0.4 / (1 + i)) for i, label in enumerate(order))
    return Genre(time_s, first, 0.4, "music", age_s, 0.9, scores)


def play(history: History, seconds: int, *, start: int = 0) -> None:
    for second in range(start, start + seconds):
        history.add(tempo(second + 0.1, 90.0 + second % 60))
        history.add(genre(second + 0.3, first=LABELS[second // 200 % len(LABELS)]))
        history.add(tempo(second + 0.6, 90.0 + second % 60))


def test_recent_seconds_are_all_there() -> None:
    history = History()
    play(history, 3000)
    recent = [row for span_s, row in history.rows() if span_s == 1]
    assert [row.time_s for row in recent] == list(range(2998 - len(recent) + 1, 2999))
    assert 590 < len(recent) <= ROWS[0]
    assert all(row.bpm == 90.0 + row.time_s % 60 for row in recent)
    assert recent[-1].top[0] == (list(dict.fromkeys(LABELS)).index(LABELS[0]), 0.4)


def test_sixteen_hours_fit_in_little_and_reach_back_to_the_start() -> None:
    history = History()
    play(history, 16 * 3600)
    rows = history.rows()
    assert rows[0][1].time_s == 0
    assert {span_s for span_s, _ in rows} == set(SPANS_S)
    held = sum(sys.getsizeof(packed) + 8 for tier in history._tiers for packed in tier.rows)
    assert held < 250_000
    assert len(history.to_json("abcdef")) < 250_000


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from((0, 1, 1, 1, 2, 5, 17, 70)), st.booleans(), st.booleans()), max_size=400),
    limits=st.tuples(*[st.integers(1, 12)] * 4),
)
def test_bounded_and_in_order_whatever_comes(steps: list[tuple[int, bool, bool]], limits: tuple[int, ...]) -> None:
    history, clock = History(limits=limits), 0
    for step, has_tempo, has_genre in steps:
        clock += step
        if has_tempo:
            history.add(tempo(float(clock)))
        if has_genre:
            history.add(genre(float(clock)))
        rows = history.rows()
        assert len(rows) <= sum(max(limit, 4) for limit in limits)
        assert all(a.time_s < b.time_s for (_, a), (_, b) in pairwise(rows))
        for (span_s, a), (_, b) in pairwise(rows):
            assert b.time_s // span_s > a.time_s // span_s, "no two rows of a spacing in one place"


def test_thinned_rows_keep_the_surest_tempo_and_the_mean_genre() -> None:
    history = History(limits=(4, 9, 9, 9))
    for second, (bpm, confidence) in enumerate([(120.0, 0.4), (60.0, 0.2), (121.0, 0.9), (80.0, 0.1)]):
        history.add(tempo(float(second), bpm, confidence=confidence))
        history.add(genre(float(second), first="Jazz" if second == 3 else "Rock"))
    for second in range(4, 6):
        history.add(tempo(float(second)))
    span_s, row = history.rows()[0]
    assert (span_s, row.time_s, row.bpm, row.confidence) == (4, 0, 121.0, 0.9)
    labels = history.to_dict("abcdef")["labels"]
    assert [labels[label] for label, _ in row.top[:2]] == ["Rock", "Jazz"]
    assert row.top[0][1] == pytest.approx((3 * 0.4 + 0.2) / 4, abs=0.02)


def test_what_is_held_or_of_another_kind_leaves_no_row() -> None:
    history = History()
    history.add(Level(0.5, -20.0, -3.0, clipping=False))
    for second in range(1, 9):
        history.add(tempo(float(second), age_s=float(second)))
        history.add(genre(float(second), age_s=float(second)))
    history.add(replace(genre(12.0), label=None, state="not_music"))
    history.add(tempo(20.0))
    history.add(tempo(30.0))
    assert [row.time_s for _, row in history.rows()] == [20]


def test_a_clock_that_goes_back_is_ignored() -> None:
    history = History()
    for time_s in (5.0, 4.0, 6.0, 2.0, 7.0):
        history.add(tempo(time_s))
    assert [row.time_s for _, row in history.rows()] == [5, 6]


def test_columns_have_one_length_and_json_is_made_once() -> None:
    history = History()
    play(history, 50)
    columns = json.loads(history.to_json("abcdef"))
    rows = ("time_s", "span_s", "bpm", "confidence", "state", "top")
    assert {len(columns[name]) for name in rows} == {49}
    assert history.to_json("abcdef") is history.to_json("abcdef")
    assert columns["states"][columns["state"][0]] == "locked"
    assert columns["top"][0][:2] == [0, 40]
