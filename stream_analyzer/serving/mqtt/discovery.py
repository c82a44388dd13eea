"""What Home Assistant must know to show an analyzer as one device: its MQTT discovery message. Pure.

Form: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

import json
from typing import get_args

from stream_analyzer import __version__
from stream_analyzer.types import State

_NAME = "Stream Analyzer"


def discovery(node: str, *, base: str, availability: str, prefix: str) -> tuple[str, str]:
    """Return topic and payload that make ``node`` a device with its sensors.

    Parameters
    ----------
    node
        Name of the analyzer, of letters, digits, ``-`` and ``_``.
    base
        Topic under which its kinds of messages are published.
    availability
        Topic that says ``online`` or ``offline``.
    prefix
        Discovery prefix that Home Assistant is set to.
    """
    device = f"stream_analyzer_{node}"
    sensors = {
        "tempo": _sensor(
            "Tempo",
            f"{base}/tempo",
            "value_json.data.bpm",
            icon="mdi:metronome",
            unit_of_measurement="BPM",
            state_class="measurement",
            suggested_display_precision=1,
        ),
        "tempo_confidence": _confidence("Tempo confidence", f"{base}/tempo"),
        "genre": _sensor(
            "Genre",
            f"{base}/genre",
            "'Not music' if value_json.data.state == 'not_music' else value_json.data.label",
            icon="mdi:music",
        ),
        "genre_confidence": _confidence("Genre confidence", f"{base}/genre"),
        "state": _sensor(
            "State",
            f"{base}/status",
            "value_json.data.state",
            icon="mdi:ear-hearing",
            device_class="enum",
            options=get_args(State),
        ),
    }
    payload = {
        "device": {
            "identifiers": [device],
            "name": f"{_NAME} {node}",
            "manufacturer": _NAME,
            "model": _NAME,
            "sw_version": __version__,
        },
        "origin": {"name": _NAME, "sw_version": __version__},
        "availability_topic": availability,
        "qos": 1,
        "components": {key: sensor | {"unique_id": f"{device}_{key}"} for key, sensor in sensors.items()},
    }
    return f"{prefix}/device/{device}/config", json.dumps(payload, separators=(",", ":"))


def _sensor(name: str, topic: str, value: str, **more: object) -> dict[str, object]:
    """Return a sensor that shows ``value``, a Jinja expression; an emptied topic makes it unknown."""
    template = f"{{{{ ({value}) if value_json is defined else None }}}}"
    return {"platform": "sensor", "name": name, "state_topic": topic, "value_template": template, **more}


def _confidence(name: str, topic: str) -> dict[str, object]:
    return _sensor(
        name,
        topic,
        "(value_json.data.confidence * 100) | round",
        icon="mdi:gauge",
        unit_of_measurement="%",
        state_class="measurement",
        suggested_display_precision=0,
    )
