"""A light desk: a real OSC server on a free port that keeps what comes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import AsyncIOOSCUDPServer

from stream_analyzer.serving.osc import PREFIX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Desk:
    """A receiver. State: what came, in order."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.came: list[tuple[str, list[Any]]] = []
        self.port = 0
        self._changed = asyncio.Event()

    def take(self, address: str, *arguments: Any) -> None:
        """Keep a message."""
        self.came.append((address.removeprefix(f"{PREFIX}/"), list(arguments)))
        self._changed.set()

    async def until(self, address: str, *, nth: int = 0) -> list[Any]:
        """Return the arguments of the first message to an address, or of the ``nth`` after it."""
        async with asyncio.timeout(30.0):
            while len(found := [arguments for there, arguments in self.came if there == address]) <= nth:
                self._changed.clear()
                await self._changed.wait()
        return found[nth]


@asynccontextmanager
async def listening() -> AsyncIterator[Desk]:
    """Listen while the context lasts."""
    desk, dispatcher = Desk(), Dispatcher()
    dispatcher.set_default_handler(desk.take)
    loop = asyncio.get_running_loop()
    server = AsyncIOOSCUDPServer(("127.0.0.1", 0), dispatcher, loop)  # type: ignore[arg-type]
    transport, _ = await server.create_serve_endpoint()
    desk.port = transport.get_extra_info("sockname")[1]
    try:
        yield desk
    finally:
        transport.close()
