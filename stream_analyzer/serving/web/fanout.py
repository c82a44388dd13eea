"""Send the stream to very many WebSocket clients, and to each what it asked for, however slow it is.

What is published together leaves as one piece of bytes, made once for all clients that chose alike: a client costs one
write to its socket. Who lags gets the newest of each kind; who takes nothing for 10 s is let go.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from stream_analyzer.protocol.encode import Message
from stream_analyzer.protocol.spectrum import merge_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.asyncio.server import ServerConnection

    from stream_analyzer.protocol.encode import Encoder
    from stream_analyzer.protocol.subscription import Choice, Subscription

logger = logging.getLogger(__name__)

_TOO_SLOW_LIMIT_S = 1.0
_KERNEL_BYTES = 65_536  # what waits should wait here, where newer replaces it, not in the kernel where it grows old
_HALF_STEP_S = 0.05
_WINDOW_BITS = 12
# One compressed frame does for all clients because none refers to what a client got before (no context takeover) and
# all have agreed on one window. This relies on `Frame.serialize` and `PerMessageDeflate.encode` of websockets, and on
# that a whole frame may be written to `connection.transport` at any moment, as `send` itself does.
DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True, client_no_context_takeover=True, server_max_window_bits=_WINDOW_BITS
)
_SHARED = PerMessageDeflate(True, True, _WINDOW_BITS, _WINDOW_BITS)  # noqa: FBT003 - its signature
_AGREED = f"server_max_window_bits={_WINDOW_BITS}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is done for clients.

    ``held`` messages, about a minute, are kept for those that come back, who get ``piece_bytes`` of them at a time; a
    client that takes nothing for ``stalled_s`` is let go.
    """

    held: int = 1500
    piece_bytes: int = 65_536
    stalled_s: float = 10.0


@dataclass(slots=True)
class Counters:
    """What became of clients and messages since the start."""

    clients: int = 0  # connected now
    sent: int = 0  # messages handed to clients
    missed: int = 0  # messages that lagging clients did not get, since a newer one of their kind had come
    stalled: int = 0  # clients closed because they took nothing for 10 s
    refused: int = 0  # clients for whom there was no room


class _Parcel:
    """A message as frames, made once, at the first need."""

    def __init__(self, message: Message) -> None:
        self.message, self.kind = message, message.kind

    @cached_property
    def plain(self) -> bytes:
        return self._frame().serialize(mask=False)

    @cached_property
    def deflated(self) -> bytes:
        return min(self.plain, self._frame().serialize(mask=False, extensions=[_SHARED]), key=len)

    def _frame(self) -> Frame:
        payload = self.message.payload
        if isinstance(payload, str):
            return Frame(Opcode.TEXT, payload.encode())
        return Frame(Opcode.BINARY, payload)


class _Bundle:
    """Messages that leave together."""

    def __init__(self, parcels: list[_Parcel]) -> None:
        self.parcels = parcels

    @cached_property
    def plain(self) -> bytes:
        return b"".join([parcel.plain for parcel in self.parcels])

    @cached_property
    def deflated(self) -> bytes:
        return b"".join([parcel.deflated for parcel in self.parcels])


class _Client:
    """One connection. State: what waits for it, and since when its buffer has not grown smaller."""

    __slots__ = (
        "_backlog", "_counters", "_deflates", "_limits", "_newest", "_stuck_bytes", "_stuck_since_s", "_transport",
        "connection",
    )  # fmt: skip

    def __init__(self, connection: ServerConnection, counters: Counters, limits: Limits) -> None:
        self.connection, self._counters, self._limits = connection, counters, limits
        self._transport = connection.transport
        response = connection.response
        self._deflates = response is not None and _AGREED in response.headers.get("Sec-WebSocket-Extensions", "")
        self._backlog: deque[_Parcel] = deque()  # a replay: all, in order
        self._newest: dict[str, _Parcel] = {}
        self._stuck_bytes, self._stuck_since_s = 0, 0.0
        with suppress(OSError):  # none may be left of one that has just gone
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)

    def greet(self, first: list[_Parcel], replay: list[_Parcel]) -> None:
        """Send what comes before all else, and start on what was missed."""
        self._write(_Bundle(first))
        self._backlog.extend(replay)
        self._send_waiting()

    def offer(self, bundle: _Bundle, *, now_s: float) -> bool:
        """Send the bundle, or keep what can't be sent; return whether the client is still worth waiting for."""
        waits = self._backlog or self._newest
        unsent = self._transport.get_write_buffer_size()
        if not waits and not unsent:
            if bundle.parcels:
                self._write(bundle)
            return True
        self._keep(bundle.parcels)
        if unsent:
            return self._moves(unsent, now_s=now_s)
        self._stuck_bytes = 0
        self._send_waiting()
        return True

    def finish(self) -> None:
        """Send all that waits: no more will come."""
        self._write(_Bundle([*self._backlog, *self._newest.values()]))

    def _write(self, bundle: _Bundle) -> None:
        if self.connection.state is State.OPEN:
            self._transport.write(bundle.deflated if self._deflates else bundle.plain)
            self._counters.sent += len(bundle.parcels)

    def _keep(self, parcels: list[_Parcel]) -> None:
        for parcel in parcels:
            if self._backlog and len(self._backlog) < self._limits.held:
                self._backlog.append(parcel)
                continue
            self._counters.missed += self._newest.pop(parcel.kind, None) is not None
            self._newest[parcel.kind] = parcel

    def _moves(self, unsent: int, *, now_s: float) -> bool:
        if not self._stuck_bytes or unsent < self._stuck_bytes:
            self._stuck_bytes, self._stuck_since_s = unsent, now_s
        return now_s - self._stuck_since_s <= self._limits.stalled_s

    def _send_waiting(self) -> None:
        piece: list[_Parcel] = []
        size = 0
        while self._backlog and size < self._limits.piece_bytes:
            piece.append(self._backlog.popleft())
            size += len(piece[-1].plain)
        if not self._backlog:
            piece += self._newest.values()
            self._newest.clear()
        if piece:
            self._write(_Bundle(piece))


class _Feed:
    """All clients of one choice. State: those clients, what waits for the next moment to send, and when that is."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self.clients: set[_Client] = set()
        self._newest: dict[str, _Parcel] = {}
        self._columns: list[_Parcel] = []
        self._due_s = 0.0

    def send(self, fresh: list[_Parcel], *, now_s: float) -> list[_Client]:
        """Send what is due; return clients that have stalled."""
        wanted = [parcel for parcel in fresh if parcel.kind in self._choice.kinds or parcel.kind == "hello"]
        bundle = _Bundle(self._due(wanted, now_s=now_s))
        return [client for client in self.clients if not client.offer(bundle, now_s=now_s)]

    def rest(self) -> list[_Parcel]:
        """Return what waits for its moment, and forget it."""
        frames = [parcel.message.payload for parcel in self._columns]
        columns = merge_columns([frame for frame in frames if isinstance(frame, bytes)])
        rest = [*(_Parcel(Message("spectrum", frame)) for frame in columns), *self._newest.values()]
        self._columns, self._newest = [], {}
        return rest

    def _due(self, parcels: list[_Parcel], *, now_s: float) -> list[_Parcel]:
        if self._choice.hz is None:
            return parcels
        at_once: list[_Parcel] = []
        for parcel in parcels:
            if isinstance(parcel.message.payload, bytes):
                self._columns.append(parcel)
            elif not parcel.message.lasts:  # a beat is worth nothing later, and there are few
                at_once.append(parcel)
            else:
                self._newest.pop(parcel.kind, None)
                self._newest[parcel.kind] = parcel
        if now_s < self._due_s - _HALF_STEP_S or not (self._columns or self._newest):
            return at_once
        period_s = 1.0 / self._choice.hz
        on_time = now_s - self._due_s < period_s
        self._due_s = (self._due_s if on_time else now_s) + period_s
        return [*at_once, *self.rest()]


class Fanout:
    """A mailbox that sends all it gets on to its clients.

    State: `hello`, the last message of each kind and the newest of all, the clients by what they chose, and
    what was published since the last turn of the event loop.
    """

    def __init__(self, encoder: Encoder, *, limits: Limits = Limits()) -> None:
        """Send messages of the session of ``encoder``."""
        self.counters = Counters()
        self._encoder, self._limits = encoder, limits
        self._hello: list[_Parcel] = []
        self._last: dict[str, _Parcel] = {}
        self._held: deque[_Parcel] = deque(maxlen=limits.held)
        self._feeds: dict[Choice, _Feed] = {}
        self._fresh: list[_Parcel] = []
        self._leaving: set[asyncio.Task[None]] = set()

    def put(self, message: Message) -> None:
        """Take a message; all that come in one turn of the event loop leave together."""
        parcel = _Parcel(message)
        if message.kind == "hello":
            first, self._hello = not self._hello, [parcel]
            if first:  # each client is greeted when it comes
                return
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self._send)
        self._fresh.append(parcel)

    async def room(self) -> None:
        """Return at once: a viewer holds nobody up."""

    def close(self) -> None:
        """Send what waits, whoever lags: no more will come."""
        self._send()
        for feed in self._feeds.values():
            rest = _Bundle(feed.rest())
            for client in feed.clients:
                client.offer(rest, now_s=0.0)
                client.finish()

    @contextmanager
    def client(self, connection: ServerConnection, wanted: Subscription) -> Iterator[None]:
        """Send to a client, while the context lasts, what it wants."""
        client, choice = _Client(connection, self.counters, self._limits), wanted.choice
        client.greet(*self._greeting(wanted))
        feed = self._feeds.setdefault(choice, _Feed(choice))
        feed.clients.add(client)
        self.counters.clients += 1
        try:
            yield
        finally:
            self.counters.clients -= 1
            feed.clients.discard(client)
            if not feed.clients and self._feeds.get(choice) is feed:
                del self._feeds[choice]

    def _greeting(self, wanted: Subscription) -> tuple[list[_Parcel], list[_Parcel]]:
        """Return what a newcomer is sent at once, and what is replayed to it."""
        kinds, since = wanted.choice.kinds, wanted.since
        last = [parcel for parcel in self._last.values() if parcel.kind in kinds]
        if since is None:
            return [*self._hello, *last], []
        if since.session != self._encoder.session:
            told = self._encoder.replay(since, missed=None, detail="that session is over, or another analyzer's")
            return [*self._hello, _Parcel(told), *last], []
        first_held = self._held[0].message.seq if self._held else since.seq + 1
        missed = max(0, first_held - since.seq - 1)
        told = self._encoder.replay(since, missed=missed, detail="no longer held" if missed else "")
        older = [parcel for parcel in last if since.seq < parcel.message.seq < first_held]
        replay = [parcel for parcel in self._held if parcel.message.seq > since.seq and parcel.kind in kinds]
        return [*self._hello, _Parcel(told), *older], replay

    def _send(self) -> None:
        fresh, self._fresh = self._fresh, []
        counted = [parcel for parcel in fresh if parcel.kind != "hello"]
        self._held.extend(counted)
        self._last |= {parcel.kind: parcel for parcel in counted if parcel.message.lasts}
        now_s = asyncio.get_running_loop().time()
        for feed in list(self._feeds.values()):
            for client in feed.send(fresh, now_s=now_s):
                feed.clients.discard(client)
                self._let_go(client.connection)

    def _let_go(self, connection: ServerConnection) -> None:
        self.counters.stalled += 1
        logger.info("client %s took nothing for %.0f s; closed", connection.remote_address, self._limits.stalled_s)
        task = asyncio.create_task(_close(connection), name="let a stalled client go")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


async def _close(connection: ServerConnection) -> None:
    """Say why, for a client that may yet read it; then end the connection, for one that does not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_TOO_SLOW_LIMIT_S):
            await connection.close(1013, "too slow")
    connection.transport.abort()
