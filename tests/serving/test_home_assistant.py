"""What Home Assistant is told: the form its documentation asks for, and templates that read our real messages."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jinja2
import jsonschema
import pytest

from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.serving.mqtt.discovery import discovery
from stream_analyzer.types import Alternative, Energy, Genre, Key, Loudness, Moment, Score, Status, Tempo

BASE = "stream-analyzer/hall/v1"
SENSOR = {
    "type": "object",
    "required": ["platform", "unique_id", "name", "state_topic", "value_template"],
    "properties": {
        "platform": {"const": "sensor"},
        "unique_id": {"type": "string", "pattern": "^stream_analyzer_hall_"},
        "name": {"type": "string"},
        "state_topic": {"type": "string", "pattern": f"^{BASE}/(tempo|genre|key|loudness|energy|moment|status)$"},
        "value_template": {"type": "string"},
        "json_attributes_topic": {
            "type": "string",
            "pattern": f"^{BASE}/(tempo|genre|key|loudness|energy|moment|status)$",
        },
        "json_attributes_template": {"type": "string"},
        "icon": {"type": "string", "pattern": "^mdi:[a-z-]+$"},
        "unit_of_measurement": {"enum": ["BPM", "%", "LUFS", "LU", "dBTP"]},
        "state_class": {"const": "measurement"},
        "suggested_display_precision": {"type": "integer", "minimum": 0},
        "expire_after": {"type": "integer", "minimum": 1},
        "device_class": {"const": "enum"},
        "options": {"type": "array", "items": {"type": "string"}},
    },
    "dependentRequired": {"options": ["device_class"], "device_class": ["options"]},
    "additionalProperties": False,
}
# https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
DEVICE = {
    "type": "object",
    "required": ["device", "origin", "components", "availability_topic"],
    "properties": {
        "device": {
            "type": "object",
            "required": ["identifiers", "name"],
            "properties": {
                "identifiers": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                **{key: {"type": "string"} for key in ("name", "manufacturer", "model", "sw_version")},
            },
            "additionalProperties": False,
        },
        "origin": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "sw_version": {"type": "string"}},
            "additionalProperties": False,
        },
        "availability_topic": {"const": f"{BASE}/availability"},
        "qos": {"enum": [0, 1, 2]},
        "components": {"type": "object", "minProperties": 1, "additionalProperties": SENSOR},
    },
    "additionalProperties": False,
}


@pytest.fixture
def payload() -> dict[str, Any]:
    topic, text = discovery("hall", base=BASE, availability=f"{BASE}/availability", prefix="homeassistant")
    assert topic == "homeassistant/device/stream_analyzer_hall/config"
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_is_one_device_with_its_sensors(payload: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(DEVICE).validate(payload)
    sensors = payload["components"]
    passing = {
        "energy",
        "moment",
        "loudness",
        "loudness_integrated_lufs",
        "loudness_range_lu",
        "loudness_true_peak_dbtp",
    }
    assert (
        set(sensors)
        == {"tempo", "tempo_confidence", "genre", "genre_confidence", "key", "key_confidence", "state"} | passing
    )
    assert {key for key, sensor in sensors.items() if "expire_after" in sensor} == passing, "no broker keeps it"
    assert len({sensor["unique_id"] for sensor in sensors.values()}) == len(sensors)


def shown(payload: dict[str, Any]) -> dict[str, str]:
    """Return what each sensor shows of the last messages, as Home Assistant renders it."""
    genre = Genre(1.0, "Jazz", 0.705, "music", 0.0, 0.98, (Score("Jazz", 0.705),), sure=True)
    events: dict[str, Tempo | Genre | Key | Loudness | Energy | Moment | Status] = {
        "tempo": Tempo(1.0, 127.94, 0.834, "locked", 0.0, ()),
        "genre": genre,
        "key": Key(1.0, "A minor", "8A", 0.62, "clear", 0.0, 3.0, (Score("A minor", 0.62),)),
        "loudness": Loudness(1.0, -12.0, -13.04, None, 4.0, -0.2),
        "energy": Energy(1.0, 0.724, -18.0, 4.5, 900.0),
        "moment": Moment(1.0, "build_up", 0.5, 0.8),
        "status": Status(1.0, "live", "", 0.0, 0.0, 0, 0),
    }
    said = {f"{BASE}/{kind}": json.loads(Encoder("abcdef").encode(e).payload) for kind, e in events.items()}
    return {key: render(s, value_json=said[s["state_topic"]]) for key, s in payload["components"].items()}


def render(sensor: dict[str, Any], **variables: Any) -> str:
    return jinja2.Environment(autoescape=True).from_string(sensor["value_template"]).render(**variables)


def test_the_templates_read_our_messages(payload: dict[str, Any]) -> None:
    assert shown(payload) == {
        "tempo": "127.94",
        "tempo_confidence": "83.0",
        "genre": "Jazz",
        "genre_confidence": "70.0",
        "key": "A minor",
        "key_confidence": "62.0",
        "loudness": "-13.0",
        "loudness_integrated_lufs": "None",
        "loudness_range_lu": "4.0",
        "loudness_true_peak_dbtp": "-0.2",
        "energy": "72.0",
        "moment": "build_up",
        "state": "live",
    }
    assert "live" in payload["components"]["state"]["options"]


@pytest.mark.parametrize(("age_s", "known"), [(0.0, True), (9.9, True), (10.0, False), (45.0, False)])
def test_what_is_old_is_unknown_and_its_attributes_say_why(
    payload: dict[str, Any], age_s: float, *, known: bool
) -> None:
    tempo = Tempo(50.0, 90.0, 0.8, "holding", age_s, (Alternative(180.0, 0.4),), 3)
    genre = Genre(50.0, "Jazz", 0.7, "holding", age_s, 0.98, (Score("Jazz", 0.7), Score("Rock", 0.2)), sure=True)
    sensors = payload["components"]
    shown = {
        key: render(sensors[key], value_json=message(event))
        for key, event in (("tempo", tempo), ("tempo_confidence", tempo), ("genre", genre), ("genre_confidence", genre))
    }
    expected = {"tempo": "90.0", "tempo_confidence": "80.0", "genre": "Jazz", "genre_confidence": "70.0"}
    assert shown == (expected if known else dict.fromkeys(expected, "None"))
    assert attributes(sensors["tempo"], value_json=message(tempo)) == {
        "state": "holding",
        "age_s": age_s,
        "alternatives": [{"bpm": 180.0, "salience": 0.4}],
        "beats_in_bar": 3,
        "demo": False,
    }
    assert attributes(sensors["genre"], value_json=message(genre)) == {
        "state": "holding",
        "age_s": age_s,
        "music": 0.98,
        "top": [{"label": "Jazz", "p": 0.7}, {"label": "Rock", "p": 0.2}],
        "sub_genre": None,
        "second": None,
        "sure": True,
        "demo": False,
    }


def test_two_close_genres_are_both_named_and_a_guess_is_not(payload: dict[str, Any]) -> None:
    genre = Genre(1.0, "Rock", 0.4, "music", 0.0, 0.98, (Score("Rock", 0.4),), second=Score("Metal", 0.3), sure=True)
    sensor = payload["components"]["genre"]
    assert render(sensor, value_json=message(genre)) == "Rock or Metal"
    assert render(sensor, value_json=message(replace(genre, second=None, sure=False))) == "None"


def test_the_state_has_its_reason_beside_it_and_the_demo_is_marked(payload: dict[str, Any]) -> None:
    status = replace(Status(1.0, "silent", "why", 0.0, 0.0, 0, 0), silence="elsewhere", sound_on=7)
    said = json.loads(Encoder("abcdef", demo=True).encode(status).payload)
    shown = {"detail": "why", "title": "", "silence": "elsewhere", "sound_on": 7, "demo": True}
    assert attributes(payload["components"]["state"], value_json=said) == shown


def test_each_kind_has_its_attributes_once(payload: dict[str, Any]) -> None:
    having = {key for key, sensor in payload["components"].items() if "json_attributes_template" in sensor}
    assert having == {"tempo", "genre", "key", "loudness", "energy", "moment", "state"}
    for key in having:
        assert attributes(payload["components"][key]) == {}, "an emptied topic"


def message(event: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(Encoder("abcdef").encode(event).payload)
    return said


def attributes(sensor: dict[str, Any], **variables: Any) -> dict[str, Any]:
    """Return a sensor's attributes as Home Assistant reads them."""
    template = jinja2.Environment(autoescape=False).from_string(sensor["json_attributes_template"])  # noqa: S701
    found: dict[str, Any] = json.loads(template.render(**variables))
    return found


def test_what_is_not_music_is_no_genre(payload: dict[str, Any]) -> None:
    data = {"label": "Jazz", "state": "not_music"}
    assert render(payload["components"]["genre"], value_json={"data": data}) == "Not music"


def test_a_key_that_is_a_guess_is_not_said(payload: dict[str, Any]) -> None:
    guess = Key(1.0, "A minor", "8A", 0.2, "searching", 0.0, 3.0, (Score("A minor", 0.2),))
    assert render(payload["components"]["key"], value_json=message(guess)) == "Not sure"
    held = replace(guess, state="holding", age_s=3.0)
    assert render(payload["components"]["key"], value_json=message(held)) == "A minor"
    shown = attributes(payload["components"]["key"], value_json=message(held))
    assert (shown["camelot"], shown["state"], shown["tuning_cents"]) == ("8A", "holding", 3.0)


def test_an_emptied_topic_is_unknown(payload: dict[str, Any]) -> None:
    # Home Assistant takes "None" for unknown, and gives no value_json for what is no JSON.
    assert {render(sensor) for sensor in payload["components"].values()} == {"None"}
