"""What settings are read as: text or what TOML holds becomes a checked value, or an error that says what it must be.

Each reader raises `ValueError` or `TypeError`, whose text goes on after "NAME = VALUE".
"""

from __future__ import annotations

import ipaddress
import math
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from stream_analyzer.system.address import NETWORK_URLS, MqttAddress, OscReceiver, is_network_url, is_origin, is_url
from stream_analyzer.types import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.serving.web.proxies import Network

ENV_PREFIX = "STREAM_ANALYZER_"
COMMAND_LINE = "command line"  # where a setting may come from: every user of this machine can read it
SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0  # what the tempo model knows
_RANGE = re.compile(r"\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*-\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*")
_NUMBERS = re.compile(r"(-?[0-9]{1,6}(?:\.[0-9]{1,6})?)-(-?[0-9]{1,6}(?:\.[0-9]{1,6})?)")
_OSC_ADDRESS = re.compile(r"(/[^\s#*,?\[\]{}/]{1,100})+")
_CHANNELS = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")
_MOST_CHANNELS = 64
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_TOPIC_LIMIT = 200
_CREDENTIAL_LIMIT = 65_535
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def text(value: Any) -> str:  # noqa: ANN401 - raw settings come as whatever TOML holds
    """Return text."""
    if not isinstance(value, str):
        msg = "must be text"
        raise TypeError(msg)
    return value


def device(value: Any) -> str:  # noqa: ANN401
    """Return what a sound device is asked for by; in TOML an index may well be a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def path(value: Any) -> Path:  # noqa: ANN401
    """Return a path, ``~`` replaced by a home."""
    try:
        return Path(text(value)).expanduser()
    except RuntimeError as error:
        msg = "begins with a home that nobody has here; write the whole path"
        raise ValueError(msg) from error


def log(value: Any) -> str:  # noqa: ANN401
    """Return a file of a set log, ``off``, or nothing for the usual place."""
    if value is False:  # what YAML and people make of off
        return "off"
    if text(value) in ("", "off"):
        return str(value)
    found = path(value)
    try:
        is_folder = found.is_dir()
    except OSError as error:
        msg = f"can't be the name of a file: {error.strerror}"
        raise ValueError(msg) from error
    if is_folder:
        msg = "must be a file, or off; this is a folder"
        raise ValueError(msg)
    return str(found)


def source(value: Any) -> str:  # noqa: ANN401
    """Return where sound comes from; of addresses those of the network alone, for FFmpeg knows many more."""
    if is_url(text(value)):
        if not is_network_url(value):
            msg = f"must be {NETWORK_URLS}, or a file, device, demo or -"
            raise ValueError(msg)
        return str(value)
    return str(path(value)) if text(value).startswith("~") else str(value)


def host(value: Any) -> str:  # noqa: ANN401
    """Return an address to serve on."""
    if not text(value).strip():
        msg = "must name an address; 0.0.0.0 serves on all"
        raise ValueError(msg)
    return str(value)


def flag(value: Any) -> bool:  # noqa: ANN401
    """Return true or false."""
    word = str(value).lower()
    if word not in (*_TRUE, *_FALSE):
        msg = "must be true or false"
        raise ValueError(msg)
    return word in _TRUE


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Return a reader of whole numbers within bounds."""

    def parse(value: Any) -> int:  # noqa: ANN401
        number = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            msg = f"must be a whole number from {low} to {high}"
            raise ValueError(msg)
        return number

    return parse


def speed(value: Any) -> float:  # noqa: ANN401
    """Return how fast a file is played."""
    try:
        speed = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        speed = math.nan
    if not 0.0 <= speed <= 1000.0:  # noqa: PLR2004 - the limit stands in the message below
        msg = "must be a number from 0 (as fast as possible) to 1000; 1 is real time"
        raise ValueError(msg)
    return speed


def one_of(*words: str) -> Callable[[Any], str]:
    """Return a reader of some words."""

    def parse(value: Any) -> str:  # noqa: ANN401
        if value not in words:
            msg = f"must be one of {', '.join(words)}"
            raise ValueError(msg)
        return str(value)

    return parse


def channel(value: Any) -> int | None:  # noqa: ANN401
    """Return the number of a channel, or None for the mix."""
    if value == "mix":
        return None
    try:
        return whole(1, _MOST_CHANNELS)(value)
    except ValueError:
        msg = "must be 'mix' or the number of a channel, from 1"
        raise ValueError(msg) from None


def channels(value: Any) -> tuple[int, int] | None:  # noqa: ANN401
    """Return the first and the last of the channels that are heard, or None for all."""
    if value == "mix":
        return None
    found = _CHANNELS.fullmatch(str(value))
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= _MOST_CHANNELS:
        msg = f"must be mix, a channel from 1 to {_MOST_CHANNELS}, or the first and last of several: 3-4"
        raise ValueError(msg)
    return first, last


def tempo_range(value: Any) -> tuple[float, float] | None:  # noqa: ANN401
    """Return the range that tempi are shown in, or None for any."""
    if value == "any":
        return None
    found = _RANGE.fullmatch(text(value))
    low, high = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not SLOWEST_BPM <= low <= high <= FASTEST_BPM:
        msg = f"must be any, or LO-HI in BPM from {SLOWEST_BPM:g} to {FASTEST_BPM:g}, such as 90-180"
        raise ValueError(msg)
    if high < 2.0 * low:
        msg = f"is less than an octave: tempi would have no place in it; say {low:g}-{2.0 * low:g} or more"
        raise ValueError(msg)
    return low, high


def folder(value: Any) -> Path:  # noqa: ANN401
    """Return an existing folder."""
    found = path(value)
    with suppress(OSError):  # of a name that no file can have
        if found.is_dir():
            return found
    msg = "must be an existing folder"
    raise ValueError(msg)


def existing_file(value: Any) -> Path:  # noqa: ANN401
    """Return an existing file."""
    found = path(value)
    with suppress(OSError):
        if found.is_file():
            return found
    msg = "must be an existing file"
    raise ValueError(msg)


def osc(value: Any) -> tuple[OscReceiver, ...]:  # noqa: ANN401
    """Return where to send OSC."""
    receivers = value if isinstance(value, list) else [part for part in text(value).split(",") if part.strip()]
    return tuple(_osc_receiver(text(receiver).strip()) for receiver in receivers)


def _osc_receiver(value: str) -> OscReceiver:
    try:
        url = urlsplit(f"//{value}")
        host, port, pattern = url.hostname or "", url.port, url.path
        asked = parse_qs(url.query, strict_parsing=bool(url.query))
        (of,) = asked.pop("input", [""]) if pattern else [""]
        ranges = {name: _numbers(*found) for name, found in asked.items()}
        mapped = pattern and ranges.keys() <= {"bpm", "to"} and "bpm" in ranges
        right = bool(_OSC_ADDRESS.fullmatch(pattern)) if pattern else not ranges
        if (
            host.encode("idna")
            and port
            and url.username is None
            and not url.fragment
            and right
            and (mapped or not ranges)
        ):
            return OscReceiver(host, port, pattern, ranges.get("bpm"), ranges.get("to", (0.0, 1.0)), of)
    except (ValueError, TypeError):  # the latter for a range that is given twice
        pass
    msg = "must be HOST:PORT, or HOST:PORT/ADDRESS?bpm=LO-HI&to=LO-HI to put the tempo on one address; commas between"
    raise ValueError(msg)


def _numbers(value: str) -> tuple[float, float]:
    """Return LO-HI as two numbers, the second not the first."""
    found = _NUMBERS.fullmatch(value)
    low, high = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if low == high:
        raise ValueError(value)
    return low, high


def mqtt(value: Any) -> MqttAddress | None:  # noqa: ANN401
    """Return where a broker listens, or None."""
    if not text(value):
        return None
    try:
        url = urlsplit(value)
        host, port = url.hostname or "localhost", url.port
        host.encode("idna")
        if re.search(r"\s", host):
            url = urlsplit("")
    except ValueError:  # of which UnicodeError is one
        url, host, port = urlsplit(""), "", None
    if url.username is not None or "@" in value:
        msg = "must hold no user and no password, for every user of this machine can read them; "
        raise ValueError(msg + "set STREAM_ANALYZER_MQTT_USER and STREAM_ANALYZER_MQTT_PASSWORD")
    if url.scheme not in _MQTT_PORTS or url.path not in ("", "/") or url.query or url.fragment or port == 0:
        msg = "must be mqtt://HOST, mqtts://HOST or the same with :PORT"
        raise ValueError(msg)
    return MqttAddress(host, port or _MQTT_PORTS[url.scheme], tls=url.scheme == "mqtts")


def matching(pattern: str, must: str) -> Callable[[Any], str]:
    """Return a reader of text that is all of ``pattern``; ``must`` says what that means."""

    def read(value: Any) -> str:  # noqa: ANN401
        if not re.fullmatch(pattern, text(value)):
            raise ValueError(must)
        return str(value)

    return read


node = matching(r"[A-Za-z0-9_-]{1,64}", "must be 1 to 64 letters, digits, - and _ (it becomes part of MQTT topics)")
token = matching(
    r"[!-~]{16,512}", "must be 16 to 512 printable characters without spaces; openssl rand -hex 16 makes one"
)


def credential(value: Any) -> str:  # noqa: ANN401
    """Return what fits into MQTT's user and password."""
    try:
        fits = len(text(value).encode()) <= _CREDENTIAL_LIMIT and "\0" not in value
    except UnicodeEncodeError:
        fits = False
    if not fits:
        msg = f"must be UTF-8 text of at most {_CREDENTIAL_LIMIT} bytes"
        raise ValueError(msg)
    return str(value)


def discovery(value: Any) -> str | None:  # noqa: ANN401
    """Return a prefix of topics, or None if it is off."""
    if value == "off":
        return None
    if not _TOPIC.fullmatch(text(value)) or len(value) > _TOPIC_LIMIT:
        msg = "must be off or the prefix that Home Assistant is set to, of letters, digits, -, _ and /"
        raise ValueError(msg)
    return str(value)


def asked_kinds(value: Any) -> frozenset[str]:  # noqa: ANN401
    """Return kinds of messages that go to the broker only where they are named."""
    known = sorted(event.KIND.name for event in EVENTS if event.KIND.mqtt == "asked")
    names = [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(name in known for name in names):
        msg = f"must be of {', '.join(known)}, joined by commas"
        raise ValueError(msg)
    return frozenset(names)


def origins(value: Any) -> frozenset[str]:  # noqa: ANN401
    """Return the origins of pages."""
    origins = value.split(",") if isinstance(value, str) else value
    if not isinstance(origins, list) or not all(isinstance(o, str) and (o == "null" or is_origin(o)) for o in origins):
        msg = "must be origins as browsers send them, joined by commas: https://club.example,http://10.0.0.5:3000"
        raise ValueError(msg)
    return frozenset(origins)


def hosts(value: Any) -> frozenset[str]:  # noqa: ANN401
    """Return names under which others know this machine."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(n, str) and is_origin(f"http://{n.lower()}") for n in names):
        msg = "must be names or addresses, with or without a port, joined by commas: music.example,10.0.0.5:8080"
        raise ValueError(msg)
    return frozenset(name.lower() for name in names)


def networks(value: Any) -> tuple[Network, ...]:  # noqa: ANN401
    """Return networks of addresses."""
    try:
        given = value.split(",") if isinstance(value, str) else value
        return tuple(ipaddress.ip_network(text(network).strip()) for network in given)
    except (TypeError, ValueError) as error:
        msg = "must be addresses or networks, joined by commas: 127.0.0.1,172.30.32.0/23"
        raise ValueError(msg) from error
