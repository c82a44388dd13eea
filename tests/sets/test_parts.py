"""Parts: found where the music turns, dated back to there, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stream_analyzer.protocol.seconds import STATES, Second
from stream_analyzer.sets.parts import TEMPO_LATE_S, Part, PartFinder
from tests.support.nights import piece, pieces


def found(seconds: list[Second]) -> list[Part]:
    finder, parts = PartFinder(), dict[int, Part]()
    for second in seconds:
        parts |= {part.start_s: part for part in finder.add(second)}
    return [parts[start_s] for start_s in sorted(parts)]


def spans(seconds: list[Second]) -> list[tuple[int, int]]:
    return [(part.start_s, part.end_s) for part in found(seconds)]


def test_three_pieces_are_three_parts() -> None:
    first, second, third = found(pieces())
    assert (first.start_s, first.end_s, first.bpm, first.key, first.genre) == (0, 60, 124.0, "A minor", "Electronic")
    assert (second.start_s, second.end_s, second.bpm, second.genre) == (60, 120, 148.0, "Jazz")
    assert (third.start_s, third.end_s, third.bpm, third.key) == (120, 180, 92.0, "D minor")
    assert third.lufs == pytest.approx(-12.0)


def test_short_pieces_are_parts_too() -> None:
    assert spans(pieces(16)) == [(0, 16), (16, 32), (32, 48)], "as in the demo"


@pytest.mark.parametrize(
    ("other", "at"),
    [({"bpm": 131.0}, 60 - TEMPO_LATE_S), ({"genre": "Jazz"}, 60), ({"key": "E major"}, 60)],
)
def test_a_turn_of_one_thing_is_enough(other: dict[str, Any], at: int) -> None:
    assert spans(piece(0, 60) + piece(60, 60, **other)) == [(0, at), (at, 120)]


@pytest.mark.parametrize(
    "other",
    [{"bpm": 62.0}, {"bpm": 248.0}, {"bpm": 186.0}, {"bpm": 126.0}, {"key": "E minor"}, {"key": "C major"}],
)
def test_an_octave_a_pitch_fader_and_a_key_beside_are_no_turn(other: dict[str, Any]) -> None:
    assert spans(piece(0, 60) + piece(60, 60, **other)) == [(0, 120)]


def test_a_moment_of_something_else_is_no_turn() -> None:
    assert spans(piece(0, 60) + piece(60, 6, "Jazz", 148.0, "F major") + piece(66, 60)) == [(0, 126)]


def test_what_turns_soon_after_is_the_same_turn() -> None:
    late = piece(60, 12, "Electronic", 148.0) + piece(72, 60, "Jazz", 148.0, "F major")
    assert spans(piece(0, 60) + late) == [(0, 57), (57, 132)]


def test_a_pause_ends_a_part_though_the_same_goes_on() -> None:
    silence = [Second(second) for second in range(60, 70)]
    assert spans(piece(0, 60) + silence + piece(70, 60)) == [(0, 60), (70, 130)]


def test_a_tempo_that_is_only_searched_for_counts_nothing() -> None:
    searching = [replace(one, bpm=77.0, state=STATES.index("searching")) for one in piece(60, 60)]
    (part,) = found(piece(0, 60) + searching)
    assert part.bpm == 124.0


def test_genres_that_are_close_change_places_without_a_turn() -> None:
    tops = [(("Electronic", 0.42), ("Disco", 0.4)), (("Disco", 0.43), ("Electronic", 0.38))]
    assert spans([replace(one, top=tops[one.time_s // 30 % 2]) for one in piece(0, 300)]) == [(0, 300)]


def test_silence_has_no_parts() -> None:
    assert found([Second(second) for second in range(100)]) == []
