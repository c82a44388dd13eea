"""Messages back into events, protocol version 1, as a subscriber reads them. Pure; numpy for spectra alone.

What a message holds beyond what is known here is ignored, and so are unknown types. `encode` is the other direction.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from stream_analyzer.errors import ProtocolError
from stream_analyzer.kinds import description
from stream_analyzer.protocol.kinds import (
    JSON_EVENTS,
    PROTOCOL_VERSION,
    SPECTRUM_HEADER,
    SPECTRUM_KIND,
    WireEvent,
)
from stream_analyzer.types import Spectrum

_SHOWN = 60
_LONGEST_WHOLE = 1 << 63


@dataclass(frozen=True, slots=True)
class Envelope:
    """A decoded message: an event, its place in the session (``seq``) and among those of its kind (``nth``)."""

    kind: str
    session: str
    seq: int
    nth: int
    event: WireEvent


_EVENTS: dict[str, type[Any]] = {event.KIND.name: event for event in JSON_EVENTS}


def decode(payload: str | bytes, *, session: str = "") -> Envelope | None:
    """Decode a message, or return None for a type that is not known here.

    ``session`` is that of `hello`: binary frames carry none.

    Raises
    ------
    ProtocolError
        The message is malformed or of another protocol version.
    """
    if isinstance(payload, bytes):
        return _decode_binary(payload, session)
    try:
        envelope = json.loads(payload, parse_constant=_refuse_constant)
        _hold_version(_field(envelope, "v"))
        kind = _field(envelope, "type")
        if not isinstance(kind, str) or kind not in _EVENTS:
            return None
        data = _read(dict[str, Any], _field(envelope, "data")) | {"time_s": _field(envelope, "time_s")}
        return Envelope(
            kind=kind,
            session=_read(str, _field(envelope, "session")),
            seq=_read(int, _field(envelope, "seq")),
            nth=_read(int, _field(envelope, "nth")),
            event=_read(_EVENTS[kind], data),
        )
    except (ValueError, RecursionError) as error:
        shown = payload if len(payload) <= _SHOWN else payload[:_SHOWN] + "..."
        msg = f"malformed message {shown!r}: {error}"
        raise ProtocolError(msg) from error


def _decode_binary(payload: bytes, session: str) -> Envelope | None:
    if len(payload) < SPECTRUM_HEADER.size:
        msg = f"malformed frame: {len(payload)} bytes, but its header alone has {SPECTRUM_HEADER.size}"
        raise ProtocolError(msg)
    version, kind, bands, columns, nth, seq, time_s = SPECTRUM_HEADER.unpack_from(payload)
    _hold_version(version)
    if kind != SPECTRUM_KIND:
        return None
    if not math.isfinite(time_s) or len(payload) != SPECTRUM_HEADER.size + columns * bands:
        msg = f"malformed frame: {len(payload)} bytes for {columns} columns of {bands} bands at {time_s} s"
        raise ProtocolError(msg)
    import numpy as np  # noqa: PLC0415 - only who asks for spectra needs it

    levels = np.frombuffer(payload, np.uint8, offset=SPECTRUM_HEADER.size).reshape(columns, bands)
    return Envelope("spectrum", session, seq, nth, Spectrum(time_s, levels))


def _hold_version(version: object) -> None:
    if version != PROTOCOL_VERSION or isinstance(version, bool):
        msg = f"the analyzer speaks protocol version {version!r}, this client {PROTOCOL_VERSION}; update the older one"
        raise ProtocolError(msg)


def _refuse_constant(constant: str) -> None:
    msg = f"{constant} is no number"
    raise ValueError(msg)


def _field(value: object, name: str) -> object:
    if not isinstance(value, dict) or name not in value:
        msg = f"no field {name}"
        raise ValueError(msg)
    return value[name]


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _read(wanted: Any, value: Any) -> Any:  # noqa: ANN401 - JSON comes as whatever it holds
    """Return a JSON value as the type that a dataclass declares. Raises `ValueError` if it is none."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if isinstance(wanted, type) and is_dataclass(wanted) and isinstance(value, dict):
        return _read_object(wanted, value)
    if origin in (Union, UnionType):
        return None if value is None else _read(inner[0], value)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(inner[0], item) for item in value)
    if origin is dict and isinstance(value, dict):
        return value if inner[1] is Any else {name: _read(inner[1], item) for name, item in value.items()}
    return _read_scalar(wanted, value)


def _read_scalar(wanted: Any, value: Any) -> Any:  # noqa: ANN401
    if wanted in (int, float) and type(value) in (int, wanted) and abs(value) < _LONGEST_WHOLE:
        return wanted(value)
    if (wanted in (bool, str) and type(value) is wanted) or (isinstance(value, str) and value in get_args(wanted)):
        return value
    msg = f"{value!r:.{_SHOWN}} is no {getattr(wanted, '__name__', wanted)}"
    raise ValueError(msg)


def _read_object(cls: Any, data: dict[str, Any]) -> Any:  # noqa: ANN401
    given = {}
    for field in fields(cls):
        name = description(field).wire or field.name
        if name in data or (field.default is MISSING and field.default_factory is MISSING):
            given[field.name] = _read(_hints(cls)[field.name], _field(data, name))
    return cls(**given)
