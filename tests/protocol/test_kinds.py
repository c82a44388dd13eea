"""Each kind's description of itself and the schema say the same; what is described is what is sent."""

from __future__ import annotations

from typing import Any

import pytest

from stream_analyzer.kinds import described_fields, is_sure
from stream_analyzer.protocol.encode import event_data
from stream_analyzer.protocol.kinds import GREETINGS, JSON_EVENTS, KINDS
from stream_analyzer.types import EVENTS, Alternative, Beat, Genre, Score, Status, Tempo
from tests.docs.test_protocol_docs import SCHEMA, name_type, resolve
from tests.support.described import schema_of

PASSING = {"mqtt": {"qos": 0, "retain": False}}
CHANNELS = {"retained": {"mqtt": {"qos": 1, "retain": True}}, "passing": PASSING, "asked": PASSING}


def plain(schema: dict[str, Any]) -> Any:
    """Return the shape of a schema: types, names and words, without bounds and texts."""
    schema = resolve(schema)
    if "oneOf" in schema:
        return frozenset(str(plain(one)) for one in schema["oneOf"])
    if isinstance(schema.get("type"), list):
        rest = {key: value for key, value in schema.items() if key != "type"}
        return frozenset(str(plain({"type": one} if one == "null" else rest | {"type": one})) for one in schema["type"])
    if "properties" in schema:
        return {name: plain(inner) for name, inner in schema["properties"].items()}
    if schema.get("type") == "array":
        return [plain(schema["items"])]
    if schema.get("type") == "object" or "additionalProperties" in schema:
        inner = schema.get("additionalProperties")
        return {"*": plain(inner) if inner else "anything"}
    return sorted(schema["enum"]) if "enum" in schema else name_type(schema) if schema else "anything"


@pytest.mark.parametrize("event", JSON_EVENTS)
def test_the_schema_is_what_the_description_says(event: type[Any]) -> None:
    written = plain(SCHEMA["components"]["schemas"][event.KIND.name]["properties"]["data"])
    described = plain(schema_of(event))
    if "feature" in described:  # the schema goes into it, the description passes it on
        described["feature"] = written["feature"]
    assert described == written


def test_every_kind_is_listed() -> None:
    events = {event.KIND.name: event for event in (*JSON_EVENTS, *EVENTS)}
    assert set(events) == set(KINDS)
    assert {name for name, event in events.items() if event.KIND.greeting} == set(GREETINGS)


@pytest.mark.parametrize("event", EVENTS)
def test_the_schema_has_the_broker_channel_of_each_kind(event: type[Any]) -> None:
    found = SCHEMA["operations"].get(f"publish{event.KIND.name.capitalize()}")
    assert (found and found["bindings"]) == CHANNELS.get(event.KIND.mqtt)


def test_values_are_sent_as_described() -> None:
    tempo = Tempo(1.0, 127.98765, 0.123456, "locked", 0.016, (Alternative(63.9912, 0.55557),))
    assert event_data(tempo) == {
        "bpm": 127.99,
        "confidence": 0.1235,
        "state": "locked",
        "age_s": 0.02,
        "alternatives": [{"bpm": 63.99, "salience": 0.5556}],
        "beats_in_bar": None,
        "bar_phase": None,
    }
    beat = Beat(1.0, 0.98765, 3, 4, 0.987654, 1.43219, 127.98765)
    assert list(event_data(beat).values()) == [0.988, 3, 4, 0.9877, 1.432, 127.99]
    genre = Genre(1.0, None, 0.0, "searching", 0.0, 0.5, tuple(Score(str(i), 0.1) for i in range(9)), Score("a", 0.5))
    assert [score["label"] for score in event_data(genre)["top"]] == ["0", "1", "2", "3", "4"]
    assert event_data(genre)["sub_genre"] == {"label": "a", "p": 0.5}


def test_sure_is_what_the_kind_says() -> None:
    assert is_sure(Tempo(1.0, 120.0, 0.9, "locked", 0.0, ()))
    assert not is_sure(Tempo(1.0, 120.0, 0.9, "holding", 2.0, ()))
    assert is_sure(Status(1.0, "silent", "", 0.0, 0.0, 0, 0)), "a kind without doubt"


def test_no_field_is_named_twice() -> None:
    for event in JSON_EVENTS:
        names = [wire for _, wire, _ in described_fields(event)]
        assert len(set(names)) == len(names)
