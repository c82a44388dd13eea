"""Several inputs at once: `[[input]]` tables of a settings file, or `--input` given again, as checked values."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.subscription import INPUT_NAME
from stream_analyzer.settings import readers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Parse = Callable[[str, Any, str], Any]  # name, value, where it comes from

MAIN = "main"  # the name of the only input
_NAMED = re.compile(r"([A-Za-z0-9_-]*)=(.+)", re.DOTALL)
_OF_CHANNELS = re.compile(r"(.+)#([0-9-]+)", re.DOTALL)
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/\s]*@")
_DEVICE = "device:"
_SOURCES = ("device", "file", "url", "input")
_OWN = ("tempo_range", "speed", "rate", "channels", "format")
_EXAMPLE = "--input deckA=device:USB#1-2 --input deckB=device:USB#3-4"


@dataclass(frozen=True, slots=True)
class NamedInput:
    """An input of several: its name, the first and last channel of its source that are heard (None: all), from 1.

    ``own`` are the settings that are not the common ones.
    """

    name: str = MAIN
    channels: tuple[int, int] | None = None
    own: Mapping[str, Any] = field(default_factory=dict)


def read_inputs(value: Any, *, origin: str, parse: Parse) -> dict[str, Any]:  # noqa: ANN401 - whatever TOML holds
    """Return the settings that an ``input`` stands for: a source alone, or the inputs.

    Raises
    ------
    ConfigError
        An entry can't be read, or a name is missing, malformed or given twice.
    """
    entries = value if isinstance(value, list) else [value]
    if not entries:
        _refuse(origin, "input = [] names none; leave it out, or write one [[input]] table for each")
    inputs = [
        _of_table(entry, origin, parse) if isinstance(entry, dict) else _of_text(entry, origin, parse)
        for entry in entries
    ]
    if len(inputs) == 1 and not inputs[0].name and not inputs[0].channels and inputs[0].own.keys() == {"input"}:
        return {"input": inputs[0].own["input"], "inputs": ()}
    if len(inputs) == 1 and not inputs[0].name:
        return {"inputs": (NamedInput(MAIN, inputs[0].channels, inputs[0].own),)}
    for one in inputs:
        if not INPUT_NAME.fullmatch(one.name):
            must = "a name must be 1 to 32 letters, digits, - and _, and of several inputs each has one"
            _refuse(origin, f"input {one.name!r}: {must}: {_EXAMPLE}")
    if twice := [name for name, count in Counter(one.name for one in inputs).items() if count > 1]:
        _refuse(origin, f"two inputs are named {twice[0]}; give each a name of its own")
    return {"inputs": tuple(inputs)}


def _of_text(entry: Any, origin: str, parse: Parse) -> NamedInput:  # noqa: ANN401
    """Read ``[NAME=]SOURCE[#CHANNELS]``; a device by its name is ``device:NAME``."""
    named = _NAMED.fullmatch(entry) if isinstance(entry, str) else None
    name, source = (named[1], named[2]) if named else ("", entry)
    if origin == readers.COMMAND_LINE and isinstance(source, str) and _LOGIN.match(source):
        what = f"input {_LOGIN.sub('***@', source)}: every user of this machine can read a command line"
        _refuse(origin, f"{what}; set {readers.ENV_PREFIX}INPUT, or write it into a file and name that with --config")
    chosen = _OF_CHANNELS.fullmatch(source) if isinstance(source, str) else None
    source, channels = (chosen[1], _channels(chosen[2], name, origin)) if chosen else (source, None)
    if isinstance(source, str) and source.startswith(_DEVICE):
        return NamedInput(
            name, channels, {"input": "device", "device": parse("device", source[len(_DEVICE) :], origin)}
        )
    return NamedInput(name, channels, {"input": parse("input", source, origin)})


def _of_table(entry: dict[str, Any], origin: str, parse: Parse) -> NamedInput:
    """Read one table: its name, where its sound comes from, and settings of its own."""
    name = entry.get("name", "")
    place = f"{origin}: input {name}".rstrip()
    if not isinstance(name, str):
        _refuse(place, f"name = {name!r} must be text")
    known = ("name", *_SOURCES, "channel", *_OWN)
    if unknown := [key for key in entry if key not in known]:
        _refuse(place, f"unknown key {unknown[0]!r}; known are {', '.join(known)}")
    given = [key for key in _SOURCES if key in entry]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        _refuse(place, f"needs one of {', '.join(_SOURCES)}, and has {found}; write one")
    source = given[0]
    where = {"input": parse("input", entry[source], place)}
    if source == "device":
        where = {"input": "device", "device": parse("device", entry[source], place)}
    channels = _channels(entry["channel"], name, origin) if "channel" in entry else None
    return NamedInput(name, channels, where | {key: parse(key, entry[key], place) for key in _OWN if key in entry})


def _channels(value: Any, name: str, origin: str) -> tuple[int, int] | None:  # noqa: ANN401
    try:
        return readers.channels(value)
    except ValueError as error:
        _refuse(origin, f"input {name}: channel = {value!r} {error}")


def _refuse(origin: str, what: str) -> NoReturn:
    msg = f"{origin}: {what}"
    raise ConfigError(msg)
