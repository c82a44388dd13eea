"""The wire as a subscriber reads it, protocol version 1: its constants, and messages back into events. Pure, no numpy.

What a message holds beyond what is known here is ignored, and so are unknown types. `messages` is the other direction.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from stream_analyzer.errors import ProtocolError
from stream_analyzer.types import Alternative, Genre, Level, Spectrum, Status, Tempo

PROTOCOL_VERSION = 1
SPECTRUM_HEADER = struct.Struct("<BBHHHQd")
SPECTRUM_KIND = 1
NTH_MODULUS = 1 << 16  # a binary header has two bytes for it

Kind = Literal["hello", "replay", "tempo", "genre", "level", "status", "spectrum", "summary"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GREETINGS: tuple[Kind, ...] = ("hello", "replay")  # of a connection, outside the count of the session
TYPES = tuple(kind for kind in KINDS if kind not in GREETINGS)

_SHOWN = 60
_LONGEST_WHOLE = 1 << 63


@dataclass(frozen=True, slots=True)
class Source:
    """Where the sound comes from; ``kind`` is device, file, demo or stdin."""

    kind: str
    name: str
    rate_hz: int
    channels: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model that judges: how many seconds it looks at, until its first judgement, and from one to the next."""

    name: str
    version: str
    task: str
    window_s: float
    first_s: float
    every_s: float


@dataclass(frozen=True, slots=True)
class SpectrumScale:
    """What spectrum levels mean: 0..255 stand for ``floor_db``..``ceil_db`` of mel power."""

    bands: int
    floor_db: float
    ceil_db: float
    frames_per_second: float


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of every connection: what a subscriber listens to.

    ``tempo_range`` is the lowest and highest BPM that a tempo is folded into by octaves, None if it is not;
    ``sub_genres`` are the styles known within a genre, each with that genre; below ``confident`` a genre is a guess.
    """

    version: str
    started_at: str
    source: Source
    models: tuple[Model, ...]
    latency_s: dict[str, float]
    tempo_range: tuple[float, ...] | None
    labels: tuple[str, ...]
    sub_genres: dict[str, str]
    confident: float
    spectrum: SpectrumScale


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer to a subscriber that comes back: ``missed`` messages can't be had any more; None: another session."""

    since: str
    missed: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class SummaryTempo:
    """The tempo of a whole source."""

    bpm: float
    confidence: float
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class SummaryGenre:
    """The genre of a whole source, and the mean probability of every label."""

    label: str
    confidence: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a source that ended amounts to; None where nothing was found. ``music`` is the share that was music."""

    time_s: float
    duration_s: float
    tempo: SummaryTempo | None
    genre: SummaryGenre | None
    music: float


WireEvent = Hello | Replay | Tempo | Genre | Level | Status | Spectrum | Summary


@dataclass(frozen=True, slots=True)
class Envelope:
    """A decoded message: an event, its place in the session (``seq``) and among those of its kind (``nth``)."""

    kind: Kind
    session: str
    seq: int
    nth: int
    event: WireEvent


_EVENTS: dict[Kind, type[Any]] = {
    "hello": Hello,
    "replay": Replay,
    "tempo": Tempo,
    "genre": Genre,
    "level": Level,
    "status": Status,
    "summary": Summary,
}
_NAMES_ON_THE_WIRE = {(Genre, "scores"): "top"}  # only the likeliest are sent


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
        name = _NAMES_ON_THE_WIRE.get((cls, field.name), field.name)
        if name in data or (field.default is MISSING and field.default_factory is MISSING):
            given[field.name] = _read(_hints(cls)[field.name], _field(data, name))
    return cls(**given)
