"""One port for the page and the stream: static files and answers by HTTP, messages by WebSocket on /ws."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Response

from stream_analyzer.errors import ConfigError, ProtocolError
from stream_analyzer.fanout import DEFLATE
from stream_analyzer.subscription import parse_subscription

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request

    from stream_analyzer.fanout import Fanout

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with."""

    body: bytes
    content_type: str
    status: HTTPStatus = HTTPStatus.OK


class WebServer:
    """Serves the files of a folder, read once at the start, answers made on request, and the stream."""

    def __init__(self, fanout: Fanout, folder: Path, *, answers: Mapping[str, Callable[[], Answer]]) -> None:
        """Serve the stream of ``fanout``, the page in ``folder``, and at the paths of ``answers`` what they give."""
        self._fanout, self._answers = fanout, answers
        self._on_loopback = True
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": Answer(path.read_bytes(), _TYPES[path.suffix])
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
                extensions=[DEFLATE],
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
            server.close(code=CloseCode.GOING_AWAY, reason="the source has ended")
            with suppress(TimeoutError):  # who has connected and says nothing, as browsers do, holds up no end
                async with asyncio.timeout(_CLOSE_LIMIT_S):
                    await server.wait_closed()

    def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a page request; let a WebSocket handshake of this very page, or of no page at all, go on."""
        hosts = request.headers.get_all("Host")
        if self._on_loopback and not all(map(_is_loopback, hosts)):
            # Otherwise any page on the web could read the stream, by a name of its own that leads to this machine.
            return connection.respond(HTTPStatus.FORBIDDEN, f"{hosts[0]} is not served here; open 127.0.0.1\n")
        path, _, query = request.path.partition("?")
        if path == "/ws":
            return self._upgrade(connection, request, query, hosts)
        if path in self._answers:
            return _response(self._answers[path]())
        if path not in self._files:
            return connection.respond(HTTPStatus.NOT_FOUND, "no such page\n")
        return _response(self._files[path])

    @staticmethod
    def _upgrade(connection: ServerConnection, request: Request, query: str, hosts: list[str]) -> Response | None:
        origin = request.headers.get("Origin")
        if origin is not None and [origin.partition("://")[2]] != hosts:
            return connection.respond(HTTPStatus.FORBIDDEN, f"origin {origin} is not this server\n")
        try:
            parse_subscription(query)
        except ProtocolError as error:
            return connection.respond(HTTPStatus.BAD_REQUEST, f"{error}\n")
        return None

    async def _stream(self, connection: ServerConnection) -> None:
        """Let one client have the stream until it leaves. What clients say is read and ignored."""
        if self._fanout.full:
            self._fanout.counters.refused += 1
            await connection.close(CloseCode.TRY_AGAIN_LATER, "no room for more clients; try again later")
            return
        query = connection.request.path.partition("?")[2] if connection.request else ""
        with self._fanout.client(connection, parse_subscription(query)):
            try:
                async for _ in connection:
                    pass
            except ConnectionClosed as closed:
                logger.debug("client %s left: %s", connection.remote_address, closed)


def _is_loopback(host: str) -> bool:
    """Tell whether a Host header, or a bare address, names this machine itself."""
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name in ("localhost", "[::1]") or _LOOPBACK.fullmatch(name) is not None


def _response(answer: Answer) -> Response:
    length = str(len(answer.body))
    headers = Headers({"Content-Type": answer.content_type, "Content-Length": length, "Connection": "close"})
    headers.update(_SECURITY_HEADERS)
    return Response(answer.status, answer.status.phrase, headers, answer.body)
