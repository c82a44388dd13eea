"""Between the network and the stream: connections that can't ask for more than a subscriber needs, and TLS."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode
from websockets.protocol import State

from stream_analyzer.errors import ConfigError
from stream_analyzer.system.address import is_loopback, plain_address

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from websockets.datastructures import Headers

    from stream_analyzer.serving.web.access import Addresses, Place
    from stream_analyzer.serving.web.proxies import Proxies

logger = logging.getLogger(__name__)

MAX_MESSAGE = 4096
MAX_HEAD = 16_384  # of a request; a browser's is below 2 kB
_WINDOW_S = 1.0
_WINDOW_BYTES = 2 * MAX_MESSAGE
_WINDOW_FRAMES = 20
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"a request has at most 16 kB here\n"
)


class GuardedConnection(ServerConnection):
    """A connection that is counted by its address, and cut when too much comes of it.

    State: its address and place among the connections of it, bytes of its request, what came in the present second, and
    whether it was cut.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - those of its base
        addresses: Addresses,
        proxies: Proxies,
        connections: set[GuardedConnection],
        **more: Any,  # noqa: ANN401
    ) -> None:
        """Be counted in ``addresses``, and be one of ``connections`` while it lasts."""
        super().__init__(*arguments, **more)
        self._addresses, self._proxies, self._connections = addresses, proxies, connections
        self._peer = self._address = ""
        self.place: Place = "in"
        self._head = 0
        self._window_s, self._bytes, self._frames = 0.0, 0, 0
        self._most_bytes, self._most_frames = _WINDOW_BYTES, _WINDOW_FRAMES
        self._cutting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it; one far too many is not worth an answer."""
        super().connection_made(transport)
        self._connections.add(self)
        self._peer = plain_address(str((transport.get_extra_info("peername") or ("",))[0]))
        # For whom a proxy asks, its request will tell.
        self._enter("" if self._proxies.trust(self._peer) else self._peer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count one less."""
        self._connections.discard(self)
        self._addresses.leave(self._address, self.place)
        super().connection_lost(exc)

    def heed_proxy(self, headers: Headers) -> bool:
        """Count it for whom a trusted proxy asks, if it comes from one; tell whether its browser speaks TLS."""
        if self._proxies.trust(self._peer):
            self._addresses.leave(self._address, self.place)
            self._enter(self._proxies.client(self._peer, headers.get_all))
        return self._proxies.by_tls(self._peer, headers.get_all)

    def allow(self, size: int, frames: int) -> None:
        """Let so many bytes and frames come in a second."""
        self._most_bytes, self._most_frames = size, frames

    @property
    def is_from_here(self) -> bool:
        """Whether it comes from this machine itself, and from no proxy."""
        return is_loopback(self._peer) and self._address == self._peer

    def _enter(self, address: str) -> None:
        self._address, self.place = address, self._addresses.enter(address)
        if self.place == "far too many":
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what comes, while it is not too much; what is too much is not even parsed."""
        if self._cutting:
            return
        if self.request is None:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.transport.write(_TOO_LARGE)
                self.transport.close()
                return
        elif self._floods(len(data)):
            super().data_received(data[:_WINDOW_BYTES])  # it may be one message that is too long, which is told apart
            if self.state is State.OPEN:
                self.transport.pause_reading()
                self._cutting = self.loop.create_task(self._cut(), name="cut a flood")
            return
        super().data_received(data)

    def process_event(self, event: Any) -> None:  # noqa: ANN401 - as its base has it
        """Count frames, of control too: each costs an answer or a wake-up."""
        self._frames += 1
        super().process_event(event)

    def _floods(self, size: int) -> bool:
        now_s = self.loop.time()
        if now_s - self._window_s > _WINDOW_S:
            self._window_s, self._bytes, self._frames = now_s, 0, 0
        self._bytes += size
        return self._bytes > self._most_bytes or self._frames > self._most_frames

    async def _cut(self) -> None:
        await self.close(CloseCode.POLICY_VIOLATION, "too many messages")


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Return a server's context of a certificate chain and its key. Raises `ConfigError`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password="")  # an encrypted key fails instead of asking
    except (OSError, ValueError) as error:  # the former for `ssl.SSLError` too
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        msg = f"can't use tls_cert = {cert} with tls_key = {key}: {reason}; both must be PEM, the key unencrypted"
        raise ConfigError(msg) from error
    return context


def allow_files(count: int) -> None:
    """Let this process have so many files and sockets open, as far as the system lets it; tell if it does not."""
    try:
        import resource  # noqa: PLC0415 - Windows has neither the module nor the limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < count:
        logger.warning(
            "the system allows %d open files, too few for max_clients; raise ulimit -n to %d", allowed, count
        )
