"""What a subscriber asks for: in the stream's address (types=tempo,genre&hz=2&input=deckA) or by a wish. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import parse_qsl

from stream_analyzer.errors import ProtocolError
from stream_analyzer.protocol.kinds import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

HZ = (0.1, 10.0)  # the upper end is as often as there is anything new
MOST_CHANNELS = 64
_PARAMETERS = ("types", "hz", "since", "input")
_SINCE = re.compile(r"([0-9a-f]{6})\.([0-9]{1,15})")
INPUT_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Choice:
    """Kinds of messages, and how often a second they may come; ``hz`` None is as they are published."""

    kinds: frozenset[str]
    hz: float | None = None


class Place(NamedTuple):
    """A message that a subscriber has had: its session and sequence number."""

    session: str
    seq: int

    def __str__(self) -> str:
        """Return it as it is written in an address."""
        return f"{self.session}.{self.seq}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to send, and after which message to go on; of the input that is named, or else of the first."""

    choice: Choice = Choice(frozenset(TYPES))
    since: Place | None = None
    input: str = ""


def read_wish(message: str | bytes) -> int | None:
    """Return the channel that a client's ``{"listen_to": CHANNEL}`` asks for, None for anything else."""
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    channel = said.get("listen_to") if isinstance(said, dict) else None
    return channel if type(channel) is int and 1 <= channel <= MOST_CHANNELS else None


def parse_subscription(
    query: str, *, types: Sequence[str] = TYPES, inputs: Sequence[str] | None = None
) -> Subscription:
    """Read the query of an address; ``types`` are those that are published, ``inputs`` those that are heard, if known.

    Raises
    ------
    ProtocolError
        An unknown parameter, one that is given twice, or a value that is none; says in one line what is allowed.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=len(_PARAMETERS) + 1)
    except ValueError:
        _refuse("more parameters than there are", f"known are {', '.join(_PARAMETERS)}")
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in _PARAMETERS:
            _refuse(f"unknown parameter {name[:_SHOWN]!r}", f"known are {', '.join(_PARAMETERS)}")
        if name in given:
            _refuse(f"{name} is given twice", "join several types by commas")
        given[name] = value
    kinds = _kinds(given["types"], types) if "types" in given else frozenset(types)
    hz = _hz(given["hz"]) if "hz" in given else None
    since = _since(given["since"]) if "since" in given else None
    return Subscription(Choice(kinds, hz), since, _input(given["input"], inputs) if "input" in given else "")


def _kinds(value: str, types: Sequence[str]) -> frozenset[str]:
    names = value.split(",")
    unknown = [name for name in names if name not in types]
    if unknown:
        _refuse(
            f"types = {value[:_SHOWN]!r}: there is no type {unknown[0][:_SHOWN]!r}", f"known are {', '.join(types)}"
        )
    return frozenset(names)


def _hz(value: str) -> float:
    low, high = HZ
    if not _NUMBER.fullmatch(value) or not low <= float(value) <= high:
        _refuse(f"hz = {value[:_SHOWN]!r}", f"must be a number from {low:g} to {high:g}: how often a second at most")
    return float(value)


def _since(value: str) -> Place:
    found = _SINCE.fullmatch(value)
    if not found:
        _refuse(f"since = {value[:_SHOWN]!r}", "must be SESSION.SEQ of the last message received, as 3fa91c.412")
    return Place(found[1], int(found[2]))


def _input(name: str, inputs: Sequence[str] | None) -> str:
    if not INPUT_NAME.fullmatch(name):
        _refuse(f"input = {name[:_SHOWN]!r}", "must be the name of an input: 1 to 32 letters, digits, - and _")
    if inputs is not None and name not in inputs:
        _refuse(f"there is no input {name}", f"known are {', '.join(inputs)}")
    return name


def _refuse(what: str, what_to_do: str) -> NoReturn:
    msg = f"{what}; {what_to_do}"
    raise ProtocolError(msg)
