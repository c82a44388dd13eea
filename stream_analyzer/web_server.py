"""One port for the page and the stream: static files and the session so far by HTTP, messages by WebSocket on /ws."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Response

from stream_analyzer.errors import ConfigError
from stream_analyzer.hub import Newest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

    from stream_analyzer.hub import Hub

logger = logging.getLogger(__name__)

STALLED_AFTER_S = 10.0
_CLOSE_LIMIT_S = 1.0
_MAX_CLIENT_MESSAGE = 4096
_LOOPBACK = re.compile(r"127(\.[0-9]{1,3}){3}")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class WebServer:
    """Serves the files of a folder, read once at the start, the hub's messages, and the session so far on request."""

    def __init__(self, hub: Hub, folder: Path, *, timeline: Callable[[], bytes]) -> None:
        """Serve ``hub``, the page in ``folder``, and the JSON that ``timeline`` gives when somebody asks."""
        self._hub, self._timeline = hub, timeline
        self._on_loopback = True
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }
        self._files["/"] = self._files["/index.html"]

    @asynccontextmanager
    async def listen(self, host: str, port: int) -> AsyncIterator[str]:
        """Serve while the context lasts; gives the page's URL. Raises `ConfigError` if the address can't be had."""
        try:
            server = await serve(
                self._stream,
                host,
                port,
                process_request=self._respond,
                compression=None,
                max_size=_MAX_CLIENT_MESSAGE,
                close_timeout=_CLOSE_LIMIT_S,
                server_header=None,
            )
        except (OSError, UnicodeError) as error:  # the latter for names that can be no host's
            reason = (getattr(error, "strerror", "") or str(error)).split("]", maxsplit=1)[-1].strip()
            msg = f"can't serve on {host}:{port}: {reason}; choose another with --host and --port"
            raise ConfigError(msg) from error
        address, bound_port = next(iter(server.sockets)).getsockname()[:2]
        self._on_loopback = _is_loopback(f"[{address}]" if ":" in address else address)
        shown = f"[{address}]" if ":" in address else address
        try:
            yield f"http://{shown}:{bound_port}/"
        finally:
            server.close()
            with suppress(TimeoutError):  # who has connected and says nothing, as browsers do, holds up no end
                async with asyncio.timeout(_CLOSE_LIMIT_S):
                    await server.wait_closed()

    def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a page request; let a WebSocket handshake of this very page, or of no page at all, go on."""
        hosts = request.headers.get_all("Host")
        if self._on_loopback and not all(map(_is_loopback, hosts)):
            # Otherwise any page on the web could read the stream, by a name of its own that leads to this machine.
            return connection.respond(HTTPStatus.FORBIDDEN, f"{hosts[0]} is not served here; open 127.0.0.1\n")
        path = request.path.partition("?")[0]
        if path == "/ws":
            origin = request.headers.get("Origin")
            if origin is None or [origin.partition("://")[2]] == hosts:
                return None
            return connection.respond(HTTPStatus.FORBIDDEN, f"origin {origin} is not this server\n")
        if path == "/timeline":
            return _ok(self._timeline(), "application/json")
        if path not in self._files:
            return connection.respond(HTTPStatus.NOT_FOUND, "no such page\n")
        return _ok(*self._files[path])

    async def _stream(self, connection: ServerConnection) -> None:
        """Send to one client until it leaves, stalls or the hub closes. What clients say is read and ignored."""
        sender = asyncio.create_task(self._send(connection), name="send to client")
        try:
            async for _ in connection:
                pass
        except ConnectionClosed as closed:
            logger.debug("client %s left: %s", connection.remote_address, closed)
        finally:
            sender.cancel()
            (outcome,) = await asyncio.gather(sender, return_exceptions=True)
            if isinstance(outcome, Exception):
                logger.error("sending to client %s failed", connection.remote_address, exc_info=outcome)

    async def _send(self, connection: ServerConnection) -> None:
        with self._hub.subscribe(Newest()) as box:
            try:
                while messages := await box.take():
                    for message in messages:
                        async with asyncio.timeout(STALLED_AFTER_S):
                            await connection.send(message.payload)
                await connection.close(1001, "the source has ended")
            except TimeoutError:
                logger.warning("client %s took nothing for %.0f s; closed", connection.remote_address, STALLED_AFTER_S)
                await connection.close(1013, "too slow")
            except ConnectionClosed:
                return


def _is_loopback(host: str) -> bool:
    """Tell whether a Host header, or a bare address, names this machine itself."""
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name in ("localhost", "[::1]") or _LOOPBACK.fullmatch(name) is not None


def _ok(body: bytes, content_type: str) -> Response:
    headers = Headers({"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"})
    headers.update(_SECURITY_HEADERS)
    return Response(HTTPStatus.OK, "OK", headers, body)
