"""A web radio station on this machine, as Icecast is one: a burst, then sound as it plays, titles woven in (ICY)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

METAINT = 2048
BURST_S = 1.0


class Station:
    """Plays one recording over and over. State: its listeners, and what they asked for."""

    def __init__(self, sound: bytes, *, bytes_per_s: float, name: str = "Radio Test", speed: float = 1.0) -> None:
        """Play ``sound``, ``speed`` times as fast as it would be."""
        self._sound, self._bytes_per_s, self._name = sound, bytes_per_s * speed, name
        self.title = "Artist - Title"
        self.asked: list[str] = []
        self.port = 0
        self.answer = b""  # another than the sound, with its head
        self._listeners: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """Where it is heard."""
        return f"http://127.0.0.1:{self.port}/live"

    @asynccontextmanager
    async def on_air(self) -> AsyncIterator[None]:
        """Serve while the context lasts; then break every connection, as a server that is killed does."""
        await self.go_on_air()
        try:
            yield
        finally:
            await self.be_killed()

    async def go_on_air(self) -> None:
        """Serve, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def be_killed(self) -> None:
        """Break every connection without a word."""
        self._server.close()
        for task, writer in self._listeners.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._listeners)
        self._listeners.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._listeners[task] = writer
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            if self.answer:
                writer.write(self.answer)
                await writer.drain()
            else:
                await self._play(writer)
        writer.close()

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        head = f"icy-name: {self._name}\r\nicy-metaint: {METAINT}\r\nContent-Type: audio/mpeg\r\n\r\n"
        writer.write(b"HTTP/1.0 200 OK\r\n" + head.encode("latin-1", "replace"))
        sent, told, loop = 0, "", asyncio.get_running_loop()
        begun_s = loop.time() - BURST_S
        while True:
            at = sent % len(self._sound)
            piece = (self._sound[at:] + self._sound)[:METAINT]
            writer.write(piece + _title(self.title if told != self.title else ""))
            told = self.title
            sent += len(piece)
            await writer.drain()
            await asyncio.sleep(begun_s + sent / self._bytes_per_s - loop.time())


def _title(title: str) -> bytes:
    text = f"StreamTitle='{title}';StreamUrl='';".encode() if title else b""
    units = -(-len(text) // 16)
    return bytes([units]) + text.ljust(16 * units, b"\0")
