"""What Home Assistant must know to show an analyzer as one device: its MQTT discovery message. Pure.

Form: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stream_analyzer import __version__
from stream_analyzer.kinds import ages, described_fields
from stream_analyzer.types import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream_analyzer.kinds import Described, Entity

OLD_AFTER_S = 10  # a pause between two songs is no reason to be unknown
_NAME = "Stream Analyzer"


def discovery(
    node: str, *, base: str, availability: str, prefix: str, events: Iterable[type[Described]] = EVENTS
) -> tuple[str, str]:
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
    events
        What is published; their fields say which sensors there are.
    """
    device = _device(node)
    sensors: dict[str, dict[str, object]] = {}
    for event in events:
        kind, topic = event.KIND.name, f"{base}/{event.KIND.name}"
        attributes = _attributes(event, topic)
        for name, wire, what in described_fields(event):
            if what.entity:
                key = what.entity.key or f"{kind}_{name}"
                sensors[key] = _sensor(what.entity, topic, f"value_json.data.{wire}", ages=ages(event)) | attributes
                if event.KIND.mqtt == "passing":  # nobody takes it back when nothing more comes
                    sensors[key]["expire_after"] = OLD_AFTER_S
                attributes = {}
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
    return f"{prefix}/{config_topic(node)}", json.dumps(payload, separators=(",", ":"))


def config_topic(node: str) -> str:
    """Return the topic that makes ``node`` a device, below the discovery prefix."""
    return f"device/{_device(node)}/config"


def _device(node: str) -> str:
    return f"stream_analyzer_{node}"


def _attributes(event: type[Described], topic: str) -> dict[str, object]:
    """Return what is shown beside the first sensor of a kind: whether to trust it, and what else it may be."""
    names = [wire for _, wire, what in described_fields(event) if what.attribute]
    values = ", ".join([*(f"'{name}': value_json.data.{name}" for name in names), "'demo': value_json.demo is defined"])
    template = f"{{{{ ({{{values}}} if value_json is defined else {{}}) | tojson }}}}"
    return {"json_attributes_topic": topic, "json_attributes_template": template}


def _sensor(entity: Entity, topic: str, value: str, *, ages: bool) -> dict[str, object]:
    """Return a sensor that shows ``value``, a Jinja expression; an emptied topic and old age make it unknown."""
    if entity.unit == "%":
        value = f"({value} * 100) | round"
    if entity.also:
        also = f"value_json.data.{entity.also}"
        value = f"({value} ~ (' or ' ~ {also}.label if {also} else ''))"
    if entity.only_if:
        value = f"({value} if value_json.data.{entity.only_if} else None)"
    if ages:
        value = f"{value} if value_json.data.age_s < {OLD_AFTER_S} else None"
    for state, word in entity.words:
        value = f"'{word}' if value_json.data.state == '{state}' else {value}"
    template = f"{{{{ ({value}) if value_json is defined else None }}}}"
    sensor: dict[str, object] = {
        "platform": "sensor",
        "name": entity.name,
        "state_topic": topic,
        "value_template": template,
        "icon": entity.icon,
    }
    if entity.unit:
        sensor |= {
            "unit_of_measurement": entity.unit,
            "state_class": "measurement",
            "suggested_display_precision": entity.digits,
        }
    if entity.options:
        sensor |= {"device_class": "enum", "options": entity.options}
    return sensor
