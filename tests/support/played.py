"""An analyzer whose every connection a test writes beforehand; and a cable to a real one that a test can cut."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.asyncio.server import serve

from stream_analyzer.client.following import Gap
from stream_analyzer.greeting import greeting
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.types import Level
from tests.support.fakes import make_fakes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response

    from stream_analyzer.client.following import Received


class Session:
    """A session's messages. State: its encoder."""

    def __init__(self, name: str) -> None:
        """Begin one."""
        self.encoder = Encoder(name)

    def hello(self) -> str:
        """Return its greeting."""
        source = SourceInfo("file", "a song.flac", 44_100, 2)
        hello = greeting(source, make_fakes(), started_at="2026-11-24T12:00:00+00:00")
        return str(self.encoder.encode(hello).payload)

    def levels(self, count: int) -> list[str]:
        """Return so many new messages."""
        return [str(self.encoder.encode(Level(0.0, -20.0, -3.0, clipping=False)).payload) for _ in range(count)]


@dataclass
class Act:
    """One connection: what is sent, then perhaps bytes that are no frame; the code it is closed with, 0 to cut it off.

    Any ``status`` but the usual one refuses it.
    """

    sends: Sequence[str | bytes] = ()
    raw: bytes = b""
    closes: int | None = None
    status: HTTPStatus = HTTPStatus.SWITCHING_PROTOCOLS


@dataclass
class Played:
    """What a test sees of it."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def played(*acts: Act) -> AsyncIterator[Played]:
    """Serve one act a connection; the last is given again to whoever comes after it."""
    seen = Played()
    left = list(acts)

    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        seen.asked.append(request.path)
        seen.tokens.append(request.headers.get("Authorization"))
        if left[0].status is HTTPStatus.SWITCHING_PROTOCOLS:
            return None
        return connection.respond(left[0].status if len(left) == 1 else left.pop(0).status, "not now\n")

    async def play(connection: ServerConnection) -> None:
        act = left[0] if len(left) == 1 else left.pop(0)
        for payload in act.sends:
            await connection.send(payload)
        connection.transport.write(act.raw)
        if act.closes is None:
            await connection.wait_closed()
        elif act.closes:
            await connection.close(act.closes, "as the test wants")
        else:
            connection.transport.abort()
        seen.ended.set()

    async with serve(play, "127.0.0.1", 0, process_request=refuse, close_timeout=1.0) as server:
        seen.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
        yield seen


class Cable:
    """A TCP connection to elsewhere that a test can cut or hold. State: where to, both ends, whether it carries."""

    def __init__(self, address: str) -> None:
        """Lead to ``host:port``."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._ends: set[asyncio.StreamWriter] = set()
        self.carries = asyncio.Event()
        self.carries.set()
        self.address = ""

    @asynccontextmanager
    async def plugged(self) -> AsyncIterator[Cable]:
        """Accept connections while the context lasts."""
        async with await asyncio.start_server(self._connect, "127.0.0.1", 0) as server:
            self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self
            self.cut()

    def cut(self) -> None:
        """Break what is connected now, without a word."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        self._ends |= {writer, far_writer}
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self.carries.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


def events(came: list[Received]) -> list[str]:
    """Return what came in short: names, gaps with what they miss."""
    return [
        f"Gap {received.event.kind} {received.event.missed}"
        if isinstance(received.event, Gap)
        else type(received.event).__name__
        for received in came
    ]
