"""Hand each message to every subscriber without ever waiting for one. Pure asyncio, no sockets.

A mailbox is bounded: a viewer that lags finds the newest of each kind; a log that must be complete finds all, up to a
limit, and a source that can wait (a file) waits for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.protocol.encode import Message


class Mailbox(Protocol):
    """Where a subscriber's messages go."""

    def put(self, message: Message) -> None:
        """Take a message, at once."""

    async def room(self) -> None:
        """Wait until the next messages will not push out others."""

    def close(self) -> None:
        """Let no more come."""


Box = TypeVar("Box", bound=Mailbox)


class _Mailbox:
    def __init__(self) -> None:
        self.dropped = 0
        self._closed = False
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._taken.set()

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    async def take(self) -> list[Message]:
        """Wait for messages and take all; an empty list means that no more will come."""
        await self._changed.wait()
        if not self._closed:
            self._changed.clear()
        self._taken.set()
        return self._empty()

    def _empty(self) -> list[Message]:
        raise NotImplementedError


class Newest(_Mailbox):
    """Keeps the newest message of each of some kinds, in the order of their arrival."""

    def __init__(self, *kinds: str) -> None:
        """Start empty; take all kinds if none is named."""
        super().__init__()
        self._kinds = frozenset(kinds)
        self._messages: OrderedDict[str, Message] = OrderedDict()

    def put(self, message: Message) -> None:
        """Take a message in place of an older one of its kind."""
        if self._kinds and message.kind not in self._kinds:
            return
        if self._messages.pop(message.kind, None) is not None:
            self.dropped += 1
        self._messages[message.kind] = message
        self._changed.set()

    async def room(self) -> None:
        """Return at once: a viewer holds nobody up."""

    def _empty(self) -> list[Message]:
        messages = list(self._messages.values())
        self._messages.clear()
        return messages


class Complete(_Mailbox):
    """Keeps every JSON message, up to a limit; then the oldest goes."""

    def __init__(self, *, limit: int = 4096) -> None:
        """Hold at most ``limit`` messages."""
        super().__init__()
        self._messages: deque[Message] = deque(maxlen=limit)
        self._limit = limit

    def put(self, message: Message) -> None:
        """Take a JSON message; the oldest makes room for it if need be. Others are none of its business."""
        if isinstance(message.payload, bytes):
            return
        self.dropped += len(self._messages) == self._limit
        self._messages.append(message)
        if len(self._messages) > self._limit // 2:
            self._taken.clear()
        self._changed.set()

    async def room(self) -> None:
        """Wait until the box is at most half full."""
        if not self._closed:
            await self._taken.wait()

    def close(self) -> None:
        """Let no more come, and hold nobody up any more."""
        super().close()
        self._taken.set()

    def _empty(self) -> list[Message]:
        messages = list(self._messages)
        self._messages.clear()
        return messages


class Hub:
    """Publishes to mailboxes. State: the mailboxes, `hello`, and the last message of each kind for late joiners."""

    def __init__(self, hello: Message) -> None:
        """Greet each subscriber with ``hello``."""
        self._hello = hello
        self._last: dict[str, Message] = {}
        self._boxes: set[Mailbox] = set()
        self._closed = False

    def greet(self, hello: Message) -> None:
        """Greet with another `hello` from now on, those that are here too."""
        self._hello = hello
        for box in self._boxes:
            box.put(hello)

    def publish(self, message: Message) -> None:
        """Hand a message to all."""
        if message.lasts:
            self._last[message.kind] = message
        for box in self._boxes:
            box.put(message)

    @contextmanager
    def subscribe(self, box: Box) -> Iterator[Box]:
        """Fill ``box`` with `hello`, the last of each kind, and what comes from now on."""
        for message in (self._hello, *self._last.values()):
            box.put(message)
        self._boxes.add(box)
        if self._closed:
            box.close()
        try:
            yield box
        finally:
            self._boxes.discard(box)

    async def room(self) -> None:
        """Wait until every subscriber that must miss nothing has room."""
        for box in tuple(self._boxes):
            await box.room()

    def close(self) -> None:
        """Tell every subscriber, those that come later too, that no more will come."""
        self._closed = True
        for box in self._boxes:
            box.close()
