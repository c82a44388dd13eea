"""Harnesses of what comes over the network: messages, queries, requests, addresses."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from websockets.exceptions import InvalidHandshake, InvalidMessage
from websockets.http11 import Request
from websockets.server import ServerProtocol

from stream_analyzer.client.endpoint import stream_url
from stream_analyzer.errors import ConfigError, ProtocolError
from stream_analyzer.protocol.decode import decode
from stream_analyzer.protocol.encode import Encoder, event_data
from stream_analyzer.protocol.kinds import SPECTRUM_HEADER, Mark
from stream_analyzer.protocol.subscription import HZ, MOST_CHANNELS, parse_subscription, read_wish
from stream_analyzer.serving.web.access import Access, Addresses
from stream_analyzer.serving.web.changes import marked
from stream_analyzer.serving.web.connection import GuardedConnection
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.serving.web.proxies import Proxies
from stream_analyzer.serving.web.server import Answer, Serving, WebServer
from stream_analyzer.settings.readers import networks
from tests.fuzz.nasty import disturbed
from tests.support.real_process import ROOT
from tests.support.scripted import BEATING, GENRE, KEY, LEVEL, LOUDNESS, TEMPO, status

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Response

TOKEN = "fuzz-me-if-you-can-0123456789"  # noqa: S105 - of nothing but these harnesses
_SOUND = b"this is what only someone with the token may read"
_PEER = "10.0.0.9"
_FOR_ANYONE = (b"/health", b"/ready")


def wire(data: bytes) -> None:
    """A message to a client: text, after a byte of 1 a binary frame, after a smaller one than 16 a changed message."""
    payload: str | bytes = data.decode(errors="replace")
    if data[:1] == b"\1":
        payload = data[1:]
    elif data and data[0] < 16:
        payload = disturbed(json.loads(_messages()[data[0] % len(_messages())]), data[1:])
    with suppress(ProtocolError):
        envelope = decode(payload, session="3fa91c")
        if envelope and envelope.kind != "spectrum":
            json.dumps(event_data(envelope.event), allow_nan=False)


@cache
def _messages() -> list[str]:
    kinds = {"tempo": TEMPO, "genre": GENRE, "key": KEY, "loudness": LOUDNESS, "level": LEVEL, "status": status("live")}
    kinds["hello"] = BEATING | {"started_at": "2026-11-28T23:00:00Z"}
    kinds["beat"] = {"beat_s": 1.0, "next_s": 1.5, "number": 1, "beats_in_bar": 4, "bpm": 120.0, "confidence": 0.9}
    head = {"v": 1, "session": "3fa91c", "seq": 1, "nth": 1, "time_s": 0.5}
    return [json.dumps(head | {"type": kind, "data": data}) for kind, data in kinds.items()]


def wire_seeds() -> list[bytes]:
    """Return a message of each kind."""
    frame = b"\1" + SPECTRUM_HEADER.pack(1, 1, 128, 2, 1, 1, 0.5) + bytes(256)
    changed = [bytes([kind, 7, 5]) for kind in range(2, 2 + len(_messages()))]
    return [*(message.encode() for message in _messages()), frame, *changed]


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def subscription_seeds() -> list[bytes]:
    """Return what a client may ask for, show and wish."""
    return [b"types=tempo,genre&hz=2&since=3fa91c.412", b'{"listen_to": 3}', b'{"token": "x"}']


def subscription(data: bytes) -> None:
    """The query of the stream's address, and what a client says on the line."""
    with suppress(ProtocolError):
        wanted = parse_subscription(_text(data))
        assert wanted.choice.kinds
        assert wanted.choice.hz is None or HZ[0] <= wanted.choice.hz <= HZ[1]
    for message in (data, data.decode(errors="replace")):
        assert 1 <= (read_wish(message) or 1) <= MOST_CHANNELS
        assert not Access(TOKEN).judge_message(message) or TOKEN.encode() in _plain(data)
    assert not Access(TOKEN).judge_login(_text(data)) or b"token=" in data


def _plain(data: bytes) -> bytes:
    """The bytes of a JSON text with its escapes taken away; what they hid may be anywhere in it."""
    with suppress(ValueError, RecursionError):
        return json.dumps(json.loads(data)).encode()
    return data


class _Line(GuardedConnection):
    """A connection without a network. State: as its base, as far as a request needs it."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies, self._addresses = proxies, Addresses(100, total=100)
        self._peer, self._address, self.place = _PEER, _PEER, self._addresses.enter(_PEER)


class _Marks:
    """Takes marks, which must be texts that can be kept. State: their count."""

    count = 0

    def mark(self, text: str) -> Mark:
        text.encode()
        self.count += 1
        return Mark(0.0, text)


_MARKS = _Marks()


@cache
def _server() -> WebServer:
    access = Access(TOKEN, frozenset({"https://club.example"}), frozenset({"music.example"}))
    answers = {path: lambda _: Answer(_SOUND, "text/plain") for path in ("/timeline", "/metrics")}
    anyone = {path.decode(): lambda _: Answer(b"well", "text/plain") for path in _FOR_ANYONE}
    fanout, serving = Fanout(Encoder("3fa91c")), Serving("127.0.0.1", 0, access)
    routes = {("POST", "/marks"): partial(marked, {"main": _MARKS})}
    return WebServer({"main": fanout}, ROOT / "web", serving=serving, answers=answers | anyone, routes=routes)


def _at_once(answering: Coroutine[Any, Any, Response | None]) -> Response | None:
    """Return what a coroutine comes to that never waits; an event loop for each request would take its time."""
    try:
        answering.send(None)
    except StopIteration as done:
        found: Response | None = done.value
        return found
    raise AssertionError


def request(data: bytes) -> None:
    """What a connection begins with, from a trusted proxy or not (the first byte): who shows no token reads nothing."""
    protocol = ServerProtocol()
    protocol.receive_data(data[1:])
    for event in protocol.events_received():
        if not isinstance(event, Request):
            continue
        line = _Line(Proxies(networks("10.0.0.0/8")) if data[:1] == b"\1" else Proxies())
        marks = _MARKS.count
        response = _at_once(_server()._respond(cast("ServerConnection", line), event))
        shown = TOKEN.encode() in data or Access(TOKEN).cookie.encode() in data or b"%" in data
        if response is None:
            with suppress(InvalidHandshake):
                protocol.accept(event)
            continue
        assert response.status_code < 500, response
        assert "Content-Security-Policy" in response.headers
        assert shown or (_SOUND not in response.body and "Set-Cookie" not in response.headers), response
        assert shown or marks == _MARKS.count, "a mark of somebody without a token"
    assert protocol.handshake_exc is None or isinstance(protocol.handshake_exc, (InvalidMessage, InvalidHandshake))


def request_seeds() -> list[bytes]:
    """Return requests of pages and streams, with a token and without."""

    def get(target: str, *headers: str) -> bytes:
        return "\r\n".join([f"GET {target} HTTP/1.1", "Host: music.example:8765", *headers, "", ""]).encode()

    key = "dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
    seeds = [
        get("/", f"Cookie: stream_analyzer={Access(TOKEN).cookie}"),
        get("/timeline", f"Authorization: Bearer {TOKEN}"),
        get(f"/login?token={TOKEN}&view=stage"),
        get("/ws?types=tempo,genre&hz=2&since=3fa91c.12", *upgrade, "Origin: https://club.example"),
        get("/marks?text=drop", f"Authorization: Bearer {TOKEN}").replace(b"GET", b"POST", 1),
        get("/marks?text=drop", "Origin: https://club.example").replace(b"GET", b"POST", 1),
        get("/metrics", "Forwarded: for=192.0.2.60;proto=https;by=203.0.113.43"),
        get("/health", "X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https"),
    ]
    return [bytes([trusted]) + seed for seed in seeds for trusted in (0, 1)]


def address(data: bytes) -> None:
    """The address of a stream that a subscriber names."""
    with suppress(ConfigError):
        assert stream_url(_text(data)).startswith(("ws://", "wss://"))


def address_seeds() -> list[bytes]:
    """Return some addresses."""
    return [b"ws://HOST:8765/ws", b"https://[::1]:80/a/", b"wss://a.example"]
