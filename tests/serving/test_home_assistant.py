"""What Home Assistant is told: the form its documentation asks for, and templates that read our real messages."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import jsonschema
import pytest

from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.serving.mqtt.discovery import discovery
from stream_analyzer.types import Genre, Score, Status, Tempo

BASE = "stream-analyzer/hall/v1"
SENSOR = {
    "type": "object",
    "required": ["platform", "unique_id", "name", "state_topic", "value_template"],
    "properties": {
        "platform": {"const": "sensor"},
        "unique_id": {"type": "string", "pattern": "^stream_analyzer_hall_"},
        "name": {"type": "string"},
        "state_topic": {"type": "string", "pattern": f"^{BASE}/(tempo|genre|status)$"},
        "value_template": {"type": "string"},
        "icon": {"type": "string", "pattern": "^mdi:[a-z-]+$"},
        "unit_of_measurement": {"enum": ["BPM", "%"]},
        "state_class": {"const": "measurement"},
        "suggested_display_precision": {"type": "integer", "minimum": 0},
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
    assert set(sensors) == {"tempo", "tempo_confidence", "genre", "genre_confidence", "state"}
    assert len({sensor["unique_id"] for sensor in sensors.values()}) == len(sensors)


def shown(payload: dict[str, Any]) -> dict[str, str]:
    """Return what each sensor shows of the last messages, as Home Assistant renders it."""
    genre = Genre(1.0, "Jazz", 0.705, "music", 0.0, 0.98, (Score("Jazz", 0.705),))
    events: dict[str, Tempo | Genre | Status] = {
        "tempo": Tempo(1.0, 127.94, 0.834, "locked", 0.0, ()),
        "genre": genre,
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
        "state": "live",
    }
    assert "live" in payload["components"]["state"]["options"]


def test_what_is_not_music_is_no_genre(payload: dict[str, Any]) -> None:
    data = {"label": "Jazz", "state": "not_music"}
    assert render(payload["components"]["genre"], value_json={"data": data}) == "Not music"


def test_an_emptied_topic_is_unknown(payload: dict[str, Any]) -> None:
    # Home Assistant takes "None" for unknown, and gives no value_json for what is no JSON.
    assert {render(sensor) for sensor in payload["components"].values()} == {"None"}
