"""Events on the wire: every message as the schema says, the binary spectrum to the byte."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jsonschema import ValidationError

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.greeting import greeting
from stream_analyzer.protocol.decode import decode
from stream_analyzer.protocol.encode import Encoder, event_data
from stream_analyzer.protocol.kinds import KINDS, SPECTRUM_HEADER
from stream_analyzer.protocol.summary import RunningSummary, Timeline
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.types import (
    Alternative,
    AudioBlock,
    Beat,
    Energy,
    Genre,
    Key,
    Level,
    Loudness,
    Moment,
    Score,
    Spectrum,
    Status,
    Tempo,
)
from tests.support.fakes import drum_loop, make_fakes

if TYPE_CHECKING:
    from collections.abc import Callable


TEMPO = Tempo(12.3456, 127.9249, 0.83333, "locked", 0.0, (Alternative(63.96, 0.31),), 3, 0.33367)
BEAT = Beat(12.4, 12.3611, 2, 3, 0.9, 12.8299, 127.9249)
KEY = Key(9.0, "A minor", "8A", 0.71234, "clear", 0.0, 3.04, tuple(Score(f"k{i}", 0.1) for i in range(9)))
LOUDNESS = Loudness(5.0, -14.04, -13.96, None, 4.26, -0.31)
GENRE = Genre(
    12.3, "Jazz", 0.7, "music", 0.0, 0.98, tuple(Score(f"g{i}", 0.1) for i in range(9)), Score("Swing", 0.66666)
)


def body(payload: str | bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(payload)
    return message


def test_tempo_message_is_exactly_this() -> None:
    encoder = Encoder("k3f9ab")
    encoder.encode(Level(0.1, -20.0, -3.0, clipping=False))
    assert body(encoder.encode(TEMPO).payload) == {
        "v": 1,
        "type": "tempo",
        "session": "k3f9ab",
        "seq": 2,
        "nth": 1,
        "time_s": 12.346,
        "data": {
            "bpm": 127.92,
            "confidence": 0.8333,
            "state": "locked",
            "age_s": 0.0,
            "alternatives": [{"bpm": 63.96, "salience": 0.31}],
            "beats_in_bar": 3,
            "bar_phase": 0.334,
        },
    }


def test_a_beat_keeps_the_schema_with_and_without_a_bar(validate: Callable[[dict[str, Any]], None]) -> None:
    for beat in (BEAT, replace(BEAT, number=None, beats_in_bar=None)):
        validate(body(Encoder("abcdef").encode(beat).payload))
    with pytest.raises(ValidationError):
        validate(body(Encoder("abcdef").encode(replace(BEAT, number=0)).payload))


def test_a_key_keeps_the_schema_and_without_one_too(validate: Callable[[dict[str, Any]], None]) -> None:
    unclear = replace(KEY, label=None, camelot=None, confidence=0.0, state="unclear")
    for key in (KEY, unclear):
        message = body(Encoder("abcdef").encode(key).payload)
        validate(message)
        assert len(message["data"]["top"]) == 3
    assert list(body(Encoder("abcdef").encode(KEY).payload)["data"].values())[:6] == [
        "A minor",
        "8A",
        0.7123,
        "clear",
        0.0,
        3.0,
    ]
    with pytest.raises(ValidationError):
        validate(body(Encoder("abcdef").encode(replace(KEY, camelot="13A")).payload))


def test_summary_has_the_key_that_was_likeliest_over_all() -> None:
    summary = RunningSummary()
    for label, p, other in (("A minor", 0.9, "C major"), ("C major", 0.6, "A minor"), ("C major", 0.5, "G major")):
        scores = (Score(label, p), Score(other, 1.0 - p))
        summary.add(replace(KEY, label=label, camelot="8B" if label == "C major" else "8A", scores=scores))
    summary.add(replace(KEY, label="E major", camelot="12B", age_s=3.0, state="holding"))
    found = summary.key()
    assert found
    assert (found.label, found.camelot, round(found.confidence, 3)) == ("A minor", "8A", 0.433)


def test_loudness_keeps_the_schema_before_and_after_the_first_sound(
    validate: Callable[[dict[str, Any]], None],
) -> None:
    for loudness, integrated in ((LOUDNESS, None), (replace(LOUDNESS, integrated_lufs=-14.26), -14.3)):
        message = body(Encoder("abcdef").encode(loudness).payload)
        assert list(message["data"].values()) == [-14.0, -14.0, integrated, 4.3, -0.3]
        validate(message)


def test_energy_and_moments_keep_the_schema(validate: Callable[[dict[str, Any]], None]) -> None:
    for event, values in (
        (Energy(5.0, 0.72345, -18.04, 4.5, 912.4), [0.723, -18.0, 4.5, 912.0]),
        (Moment(5.0, "drop", 4.44, 0.87654), ["drop", 4.4, 0.8765]),
    ):
        message = body(Encoder("abcdef").encode(event).payload)
        assert list(message["data"].values()) == values
        validate(message)


def test_summary_has_the_newest_drops_and_no_other_moments() -> None:
    summary = RunningSummary()
    for at_s in range(120):
        summary.add(Moment(at_s + 0.5, "build_up", at_s - 9.0, 0.9))
        summary.add(Moment(at_s + 0.5, "drop", float(at_s), 0.9))
    assert summary.summary().drops_s == tuple(float(at_s) for at_s in range(20, 120))


def test_genre_message_is_exactly_this(validate: Callable[[dict[str, Any]], None]) -> None:
    message = body(Encoder("abcdef").encode(GENRE).payload)
    assert message["data"] == {
        "label": "Jazz",
        "sub_genre": {"label": "Swing", "p": 0.6667},
        "second": None,
        "sure": False,
        "confidence": 0.7,
        "state": "music",
        "age_s": 0.0,
        "music": 0.98,
        "top": [{"label": f"g{i}", "p": 0.1} for i in range(5)],
    }
    validate(message)


def test_what_never_was_music_has_no_label(validate: Callable[[dict[str, Any]], None]) -> None:
    rejected = replace(GENRE, label=None, confidence=0.0, state="not_music", music=0.02, sub_genre=None)
    message = body(Encoder("abcdef").encode(rejected).payload)
    assert (message["data"]["label"], message["data"]["sub_genre"]) == (None, None)
    validate(message)


def test_spectrum_frame_to_the_byte() -> None:
    levels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    frame = Encoder("abcdef").encode(Spectrum(1.5, levels)).payload
    assert isinstance(frame, bytes)
    assert SPECTRUM_HEADER.size == 24
    assert frame.hex(" ") == "01 01 03 00 02 00 01 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 f8 3f 00 01 02 03 04 05"


def test_all_messages_of_a_session_keep_the_schema(validate: Callable[[dict[str, Any]], None]) -> None:
    heads = make_fakes(tempo_range=(90.0, 180.0))
    analyzer, encoder, summary = Analyzer(heads), Encoder("0123ab"), RunningSummary()
    source = SourceInfo("file", "a song.flac", 44_100, 2)
    started_at = "2026-11-23T12:00:00+00:00"
    messages = [encoder.encode(greeting(source, heads, started_at=started_at))]
    events = analyzer.feed(AudioBlock(drum_loop(8.0), 22_050))
    events += analyzer.device_lost("gone") + analyzer.end()
    for event in events:
        summary.add(event)
        messages.append(encoder.encode(event))
    messages.append(encoder.encode(summary.summary()))
    texts = [body(message.payload) for message in messages if message.kind != "spectrum"]
    assert {text["type"] for text in texts} == {"hello", "tempo", "genre", "level", "status", "summary"}
    for text in texts:
        validate(text)
    assert len(messages) - 1 == texts[-1]["seq"], "one count for all kinds"
    for kind in KINDS:
        decoded = [decode(message.payload) for message in messages if message.kind == kind]
        assert [found and found.nth for found in decoded] == list(
            range(kind != "hello", len(decoded) + (kind != "hello"))
        )


@pytest.mark.parametrize("change", [{"type": "rumour"}, {"v": 2}, {"seq": -1}, {"extra": 1}, {"data": {"bpm": 120.0}}])
def test_the_schema_refuses_what_it_should(validate: Callable[[dict[str, Any]], None], change: dict[str, Any]) -> None:
    message = body(Encoder("abcdef").encode(TEMPO).payload)
    validate(message)
    with pytest.raises((ValidationError, AssertionError)):
        validate(message | change)


def test_summary_of_nothing() -> None:
    found = event_data(RunningSummary().summary())
    nothing = dict.fromkeys(("tempo", "genre", "key", "loudness"))
    assert found == {"duration_s": 0.0, "music": 0.0, "drops_s": []} | nothing


def test_summary_has_the_last_loudness(validate: Callable[[dict[str, Any]], None]) -> None:
    summary = RunningSummary()
    for integrated in (None, -9.0, -14.0):
        summary.add(replace(LOUDNESS, integrated_lufs=integrated))
    message = body(Encoder("abcdef").encode(summary.summary()).payload)
    assert message["data"]["loudness"] == {"integrated_lufs": -14.0, "range_lu": 4.3, "true_peak_dbtp": -0.3}
    validate(message)


def test_summary_takes_the_tempo_most_evidence_supports() -> None:
    summary = RunningSummary()
    for i in range(20):
        summary.add(Tempo(float(i), 128.0 + 0.1 * (i % 3), 0.8, "locked", 0.0, (Alternative(64.0, 0.5),)))
    summary.add(Tempo(21.0, 64.0, 0.9, "locked", 0.0, ()))
    summary.add(Tempo(22.0, 99.0, 1.0, "holding", 3.0, ()))
    tempo = summary.tempo()
    assert tempo is not None
    assert tempo.bpm == pytest.approx(128.1)
    assert tempo.confidence == pytest.approx(0.8 * 20 / 21, abs=1e-3)
    assert [other.bpm for other in tempo.alternatives] == [64.0]
    assert tempo.alternatives[0].salience == pytest.approx((20 * 0.4 + 0.9) / 16.0, abs=1e-3)
    assert summary.duration_s == 22.0


def test_summary_counts_as_music_what_was_judged_so() -> None:
    summary = RunningSummary()
    for state in ("music", "music", "searching", "holding", "not_music"):
        scores = (Score("Jazz", 0.7), Score("Rock", 0.3)) if state != "not_music" else (Score("Rock", 1.0),)
        summary.add(Genre(1.0, "Jazz", 0.7, state, 0.0, 0.9, scores))
    assert summary.music() == 0.4
    genre = summary.genre()
    assert genre is not None
    assert genre.label == "Jazz"
    assert genre.scores == pytest.approx({"Jazz": 0.7, "Rock": 0.3})


def test_timeline_has_a_row_for_every_update() -> None:
    timeline = Timeline((Tempo, Beat, Genre, Status))
    for event in (TEMPO, BEAT, GENRE, Status(1.0, "live", "", 0.0, 0.0, 0, 0)):
        timeline.add(event)
    assert timeline.to_dict() == {
        "tempo": [{"time_s": 12.346, "bpm": 127.92, "confidence": 0.8333, "state": "locked", "beats_in_bar": 3}],
        "beat": [{"time_s": 12.4, "beat_s": 12.361, "number": 2, "beats_in_bar": 3, "confidence": 0.9, "bpm": 127.92}],
        "genre": [
            {
                "time_s": 12.3,
                "label": "Jazz",
                "sub_genre": {"label": "Swing", "p": 0.6667},
                "second": None,
                "sure": False,
                "confidence": 0.7,
                "state": "music",
            }
        ],
    }
