"""What a kind's description promises, as JSON Schema and as OSC type tags, to hold schema and documents against."""

from __future__ import annotations

from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from stream_analyzer.kinds import described_fields

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    Any: {},
}
_TAGS = {"boolean": "i", "integer": "i", "number": "f", "string": "s"}


def schema_of(cls: type) -> dict[str, Any]:
    """Return the schema of what is sent of a record: its fields by their names on the wire, and no others."""
    hints = get_type_hints(cls)
    properties = {wire: _schema(hints[name]) for name, wire, _ in described_fields(cls)}
    return {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}


def osc_tags(cls: type) -> dict[str, str]:
    """Return the OSC addresses of a kind below the prefix, each with the type tags of its arguments."""
    hints, fields = get_type_hints(cls), described_fields(cls)
    together = "".join(_tag(_schema(hints[name])) for name, _, what in fields if what.osc)
    alone = {what.osc_alone: _tag(_schema(hints[name])) for name, _, what in fields if what.osc_alone}
    return ({cls.KIND.name: together} if together else {}) | alone  # type: ignore[attr-defined]


def _schema(hint: Any) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"type": "string", "enum": list(inner)}
    if origin in (Union, UnionType):
        return {"oneOf": [_schema(one) for one in inner]}
    if origin is tuple:
        return {"type": "array", "items": _schema(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(inner[1])}
    return schema_of(hint) if is_dataclass(hint) and isinstance(hint, type) else _PLAIN[hint]


def _tag(schema: dict[str, Any]) -> str:
    """Return the tag of one argument; of a label with a probability, or none, the label is sent."""
    first = schema["oneOf"][0] if "oneOf" in schema else schema
    return _TAGS.get(first["type"], "s")
