"""What comes over a line, in order, and waiting for it: shared by the WebSocket and the MQTT client of the tests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

M = TypeVar("M")


class Collected(Generic[M]):
    """State: all messages so far."""

    def __init__(self) -> None:
        """Start without any."""
        self.messages: list[M] = []
        self._came = asyncio.Event()

    def put(self, message: M) -> None:
        """Take a message."""
        self.messages.append(message)
        self._came.set()

    async def until(self, wanted: Callable[[M], bool], *, limit_s: float = 30.0, start: int = 0) -> int:
        """Wait for a message from index ``start`` on; return the index after it. Raises `TimeoutError`."""
        at = start
        async with asyncio.timeout(limit_s):
            while True:
                while at < len(self.messages):
                    at += 1
                    if wanted(self.messages[at - 1]):
                        return at
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def beside(reading: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run ``reading`` while the context lasts; its own errors are for nobody."""
    reader = asyncio.create_task(reading)
    try:
        yield
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
