"""The session's timeline: bounded, in order, recent seconds complete, older ones thinner but never lost at once."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_analyzer.protocol.history import ROWS, SPANS_S, History, columns
from stream_analyzer.protocol.seconds import STATES, Second, Seconds
from stream_analyzer.types import Energy, Genre, Key, Level, Loudness, Moment, Score, Tempo

if TYPE_CHECKING:
    from stream_analyzer.kinds import Described

LABELS = ("Rock", "Jazz", "Techno", "Pop", "Folk", "Blues", "Disco")


class Heard(History):
    """A history that is told events, by way of seconds."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._seconds = Seconds()

    def hear(self, event: Described) -> None:
        if second := self._seconds.add(event):
            self.add(second)


def tempo(time_s: float, bpm: float = 120.0, *, confidence: float = 0.8, age_s: float = 0.0) -> Tempo:
    return Tempo(time_s, bpm, confidence, "locked", age_s, ())


def genre(time_s: float, *, first: str = "Rock", age_s: float = 0.0) -> Genre:
    order = [first, *(label for label in LABELS if label != first)]
    scores = tuple(Score(label, 0.4 / (1 + i)) for i, label in enumerate(order))
    return Genre(time_s, first, 0.4, "music", age_s, 0.9, scores)


def play(history: Heard, seconds: int, *, start: int = 0) -> None:
    for second in range(start, start + seconds):
        history.hear(tempo(second + 0.1, 90.0 + second % 60))
        history.hear(genre(second + 0.3, first=LABELS[second // 200 % len(LABELS)]))
        history.hear(tempo(second + 0.6, 90.0 + second % 60))


def test_recent_seconds_are_all_there() -> None:
    history = Heard()
    play(history, 3000)
    recent = [row for row in history.rows() if row.span_s == 1]
    assert [row.time_s for row in recent] == list(range(2998 - len(recent) + 1, 2999))
    assert 590 < len(recent) <= ROWS[0]
    assert all(row.bpm == 90.0 + row.time_s % 60 for row in recent)
    assert recent[-1].top[0] == (LABELS[0], 0.4)


def test_sixteen_hours_fit_in_little_and_reach_back_to_the_start() -> None:
    history = Heard()
    play(history, 16 * 3600)
    rows = history.rows()
    assert rows[0].time_s == 0
    assert {row.span_s for row in rows} == set(SPANS_S)
    held = sum(sys.getsizeof(packed) + 8 for tier in history._tiers for packed in tier.rows)
    assert held < 250_000
    assert len(history.to_json("abcdef")) < 250_000


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from((0, 1, 1, 1, 2, 5, 17, 70)), st.booleans(), st.booleans()), max_size=400),
    limits=st.tuples(*[st.integers(1, 12)] * 4),
)
def test_bounded_and_in_order_whatever_comes(steps: list[tuple[int, bool, bool]], limits: tuple[int, ...]) -> None:
    history, clock = Heard(limits=limits), 0
    for step, has_tempo, has_genre in steps:
        clock += step
        if has_tempo:
            history.hear(tempo(float(clock)))
        if has_genre:
            history.hear(genre(float(clock)))
        rows = history.rows()
        assert len(rows) <= sum(max(limit, 4) for limit in limits)
        assert all(a.time_s < b.time_s for a, b in pairwise(rows))
        for a, b in pairwise(rows):
            assert b.time_s // a.span_s > a.time_s // a.span_s, "no two rows of a spacing in one place"


def test_thinned_rows_keep_the_surest_tempo_and_the_mean_genre() -> None:
    history = Heard(limits=(4, 9, 9, 9))
    for second, (bpm, confidence) in enumerate([(120.0, 0.4), (60.0, 0.2), (121.0, 0.9), (80.0, 0.1)]):
        history.hear(tempo(float(second), bpm, confidence=confidence))
        history.hear(genre(float(second), first="Jazz" if second == 3 else "Rock"))
    for second in range(4, 6):
        history.hear(tempo(float(second)))
    row = history.rows()[0]
    assert (row.span_s, row.time_s, row.bpm, row.confidence) == (4, 0, 121.0, 0.9)
    assert [label for label, _ in row.top[:2]] == ["Rock", "Jazz"]
    assert row.top[0][1] == pytest.approx((3 * 0.4 + 0.2) / 4, abs=0.02)


def test_what_is_held_or_of_another_kind_leaves_no_row() -> None:
    history = Heard()
    history.hear(Level(0.5, -20.0, -3.0, clipping=False))
    for second in range(1, 9):
        history.hear(tempo(float(second), age_s=float(second)))
        history.hear(genre(float(second), age_s=float(second)))
    history.hear(replace(genre(12.0), label=None, state="not_music"))
    history.hear(tempo(20.0))
    history.hear(tempo(30.0))
    assert [row.time_s for row in history.rows()] == [20]


def test_a_clock_that_goes_back_is_ignored() -> None:
    history = Heard()
    for time_s in (5.0, 4.0, 6.0, 2.0, 7.0):
        history.hear(tempo(time_s))
    assert [row.time_s for row in history.rows()] == [5, 6]


def test_columns_have_one_length_and_json_is_made_once() -> None:
    history = Heard()
    play(history, 50)
    columns = json.loads(history.to_json("abcdef"))
    rows = ("time_s", "span_s", "bpm", "confidence", "state", "top")
    assert {len(columns[name]) for name in rows} == {49}
    assert history.to_json("abcdef") is history.to_json("abcdef")
    assert columns["states"][columns["state"][0]] == "locked"
    assert columns["top"][0][:2] == [0, 40]


def test_what_was_before_the_session_has_negative_times_and_the_set_its_own() -> None:
    history = History()
    history.offset_s = 100
    for time_s in (-100, -99, 3):
        history.add(Second(time_s, 120.0, 0.5))
    found = json.loads(history.to_json("abcdef"))
    assert (found["time_s"], found["offset_s"]) == ([-100, -99, 3], 100)


def test_a_second_is_the_newest_of_each_kind() -> None:
    seconds = Seconds()
    events = (
        tempo(5.1, 100.0), Key(5.2, "A minor", "8A", 0.9, "clear", 0.0, 0.0, ()), genre(5.3, first="Jazz"),
        Loudness(5.4, -10.0, -12.5, None, 0.0, -1.0), Energy(5.5, 0.7, -18.0, 4.5, 900.0),
        Moment(5.5, "drop", 5.0, 0.9), tempo(5.6, 101.0), Level(5.9, -20.0, -3.0, clipping=False),
    )  # fmt: skip
    assert [seconds.add(event) for event in events] == [None] * len(events)
    second = seconds.add(Level(6.0, -20.0, -3.0, clipping=False))
    locked = STATES.index("locked")
    assert second
    assert second == Second(5, 101.0, 0.8, locked, second.top, "A minor", -12.5, energy=0.7, drop=True)
    assert second.top[0] == ("Jazz", 0.4)
    assert seconds.end() == Second(6)
    assert seconds.end() is None


def test_key_energy_and_drops_are_kept_and_thinned() -> None:
    history = History(limits=(2, 2, 2, 2))
    for time_s, key, energy in ((0, "A minor", 0.2), (1, "E minor", 0.4), (2, "E minor", None), (3, "", 0.6)):
        history.add(Second(time_s, 120.0, 0.5, key=key, energy=energy, drop=time_s == 1))
    newest = [(row.key, row.energy, row.drop) for row in history.rows()][-2:]
    assert newest == [("E minor", None, False), ("", 0.6, False)]
    for time_s in range(4, 9):
        history.add(Second(time_s, 120.0, 0.5))
    found = json.loads(history.to_json("abcdef"))
    assert (found["keys"], found["key"][0], found["energy"][0], found["drop"][0]) == (["E minor"], 0, 40, 1)
    assert (found["key"][-1], found["energy"][-1], found["drop"][-1]) == (None, None, 0)


def test_columns_number_the_labels_that_are_there() -> None:
    found = columns([Second(0, top=(("Jazz", 0.5), ("Rock", 0.25))), Second(1, top=(("Rock", 1.0),))], session="a")
    assert (found["labels"], found["top"]) == (["Jazz", "Rock"], [[0, 50, 1, 25], [1, 100]])
