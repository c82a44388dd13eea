"""Several inputs: flags and tables mean the same, and what is wrong with one names it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stream_analyzer.assembly import make_inputs
from stream_analyzer.errors import ConfigError
from stream_analyzer.settings.config import load_settings
from stream_analyzer.settings.inputs import NamedInput
from stream_analyzer.sound.split import Share

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
rate = 48000
[[input]]
name = "deckA"
device = "USB Audio"
channel = "1-2"
tempo_range = "90-180"
[[input]]
name = "room"
file = "night.flac"
"""


def test_tables_and_flags_say_the_same(tmp_path: Path) -> None:
    file = tmp_path / "club.toml"
    file.write_text(TABLES)
    tables = load_settings({}, file=file, environment={}).inputs
    own = {"input": "device", "device": "USB Audio", "tempo_range": (90.0, 180.0)}
    assert tables == (NamedInput("deckA", (1, 2), own), NamedInput("room", None, {"input": "night.flac"}))
    flags = load_settings({"input": ["deckA=device:USB Audio#1-2", "room=night.flac"]}, environment={}).inputs
    assert [(one.name, one.channels) for one in flags] == [(one.name, one.channels) for one in tables]
    assert flags[1] == tables[1]


@pytest.mark.parametrize(
    ("value", "source", "inputs"),
    [
        (["demo"], "demo", 0), ("demo", "demo", 0), (["http://radio.example/a?b=c"], "http://radio.example/a?b=c", 0),
        (["./a=b.wav"], "./a=b.wav", 0), (["song.wav#3-4"], "auto", 1), (["A=demo"], "auto", 1),
    ],
)  # fmt: skip
def test_one_source_stays_what_it_was(value: Any, source: str, inputs: int) -> None:
    settings = load_settings({"input": value}, environment={})
    assert (settings.input, len(settings.inputs)) == (source, inputs)


def test_a_flag_beats_the_tables(tmp_path: Path) -> None:
    file = tmp_path / "club.toml"
    file.write_text(TABLES)
    settings = load_settings({"input": ["demo"]}, file=file, environment={})
    assert (settings.input, settings.inputs) == ("demo", ())


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"name": "A"}, "input A: needs one of device, file, url, input, and has none of them"),
        ({"name": "A", "device": "x", "file": "y"}, "has device and file"),
        ({"name": "A", "input": "demo", "chanel": 1}, "input A: unknown key 'chanel'"),
        ({"name": "A", "input": "demo", "rate": 3}, "input A: rate = 3 must be a whole number"),
        ({"name": "A", "input": "demo", "channel": "left"}, "input A: channel = 'left' must be mix"),
        ({"name": 5, "input": "demo"}, "name = 5 must be text"),
        ({"name": "A" * 33, "input": "demo"}, "1 to 32 letters"),
        ({"name": "", "input": "demo"}, "of several inputs each has one"),
        ({"name": "B", "input": "demo"}, "two inputs are named B"),
    ],
)
def test_a_wrong_table_is_named(table: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load_settings({"input": [table, {"name": "B", "input": "demo"}]}, environment={})


def test_no_table_at_all_is_said() -> None:
    with pytest.raises(ConfigError, match="names none"):
        load_settings({"input": []}, environment={})


def test_names_go_into_topics_and_addresses_of_several_alone() -> None:
    osc = "127.0.0.1:9,127.0.0.1:9/tempo,127.0.0.1:9/other?bpm=0-255&input=B"
    flags = {"mqtt": "mqtt://127.0.0.1", "node": "club", "osc": osc}
    two = make_inputs(load_settings(flags | {"input": ["A=demo", "B=demo"]}, environment={}), attended=True, note=print)
    bases = [one.mqtt._base for one in two if one.mqtt]
    assert bases == ["stream-analyzer/club/A/v1", "stream-analyzer/club/B/v1"]
    sent = [[(r._prefix, r._receiver.pattern) for r in one.osc._receivers] for one in two if one.osc]
    assert sent == [
        [("/stream_analyzer/A", ""), ("/stream_analyzer/A", "/tempo")],
        [("/stream_analyzer/B", ""), ("/stream_analyzer/B", "/other")],
    ]
    assert all(isinstance(one.source, Share) for one in two), "the demo is played once for both"
    (one,) = make_inputs(load_settings({"mqtt": "mqtt://x", "node": "club"}, environment={}), attended=True, note=print)
    assert one.mqtt
    assert one.mqtt._base == "stream-analyzer/club/v1"


def test_a_receiver_of_an_input_that_is_not_there_is_named() -> None:
    settings = load_settings({"osc": "127.0.0.1:9/tempo?bpm=0-255&input=C", "input": "A=demo"}, environment={})
    with pytest.raises(ConfigError, match="there is no such input; known are A"):
        make_inputs(settings, attended=True, note=print)
