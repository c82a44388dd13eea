"""One port for the page and the stream: static files and answers by HTTP, messages by WebSocket on /ws."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlencode

from websockets.asyncio.server import serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Response

from stream_analyzer.errors import ConfigError, ProtocolError, StreamAnalyzerError
from stream_analyzer.protocol.kinds import TYPES
from stream_analyzer.protocol.subscription import parse_subscription, read_wish
from stream_analyzer.serving.web.access import Access, Addresses
from stream_analyzer.serving.web.connection import MAX_MESSAGE, GuardedConnection, allow_files
from stream_analyzer.serving.web.fanout import DEFLATE
from stream_analyzer.serving.web.microphone import PATH as SOUND
from stream_analyzer.serving.web.microphone import Hearing, hear
from stream_analyzer.serving.web.proxies import Proxies
from stream_analyzer.system import qr
from stream_analyzer.system.address import is_loopback

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request

    from stream_analyzer.protocol.subscription import Subscription
    from stream_analyzer.serving.web.access import Verdict
    from stream_analyzer.serving.web.fanout import Fanout

    Query = Mapping[str, str]
    Route = Callable[[Query], Awaitable["Answer"]]

logger = logging.getLogger(__name__)

_MOST_FIELDS = 8  # of a query
_FAREWELL_S = 3.0  # when the source has ended: time for who reads slowly to get the rest
_STOP_S = 0.5  # when a user ends it
_BESIDE_CLIENTS = 256  # connections: requests for pages, handshakes, clients that are leaving
_TEXT = "text/plain; charset=utf-8"
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
_FOR_ANYONE = ("/health", "/ready")  # supervisors have no token, and these say nothing of the sound
_PAGE_PARAMETERS = ("view", "ratio", "target", "input")  # of the page's address; a login link may carry them
_LOG_IN = "open the login link that the analyzer gave at its start"


_CODES: dict[str, Callable[[Access], str]] = {  # what follows the address
    "/qr/login.svg": lambda access: access.login_path,
    "/qr/mic.svg": lambda access: access.phone_path,
    "/qr/view.svg": lambda _: "",
}
_OPEN_CODES = ("/qr/view.svg",)  # holds no secret


@dataclass(frozen=True, slots=True)
class Serving:
    """Where to serve, and for whom; ``tls`` makes it https and wss.

    A client has ``token_limit_s`` for its first message if it showed no token before, and ``open_limit_s`` for each of
    TLS and the request.
    """

    host: str
    port: int
    access: Access = Access()
    proxies: Proxies = Proxies()
    tls: ssl.SSLContext | None = None
    max_clients: int = 2000
    max_per_address: int = 100
    token_limit_s: float = 2.0
    open_limit_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with."""

    body: bytes
    content_type: str
    status: HTTPStatus = HTTPStatus.OK


class WebServer:
    """Serves the files of a folder, read once at the start, answers made on request, and the stream."""

    def __init__(
        self,
        fanouts: Mapping[str, Fanout],
        folder: Path,
        *,
        serving: Serving,
        answers: Mapping[str, Callable[[str], Answer]],
        routes: Mapping[tuple[str, str], Route] | None = None,
        types: Sequence[str] = TYPES,
        listen_to: Mapping[str, Callable[[int], None] | None] | None = None,
        hearing: Hearing | None = None,
    ) -> None:
        """Serve the streams of ``fanouts``, by input, the page in ``folder``, and at the paths of ``answers`` these.

        An answer is told the input that is asked for, if one is. ``routes`` are what takes time or more of a query, by
        method and path; raising `StreamAnalyzerError` refuses a request. What changes anything is a POST, without a
        body: a page of this server may ask for it, and who shows a token.

        A subscriber gets messages of ``types`` (to ask for one whose model is not here is no mistake) of one input, the
        first unless it names another, and the page at this machine itself may ask to ``listen_to`` a channel of it. A
        phone's microphone goes to ``hearing``.
        """
        self._hearing, self._url = hearing, ""
        self._listen_to = listen_to or {}
        self._fanouts, self._serving, self._answers, self._routes = fanouts, serving, answers, routes or {}
        self._types = tuple(dict.fromkeys((*types, *TYPES)))
        self._access = serving.access
        self._on_loopback = True
        self._addresses = Addresses(serving.max_per_address, total=serving.max_clients + _BESIDE_CLIENTS)
        self._files = {
            f"/{path.relative_to(folder).as_posix()}": Answer(path.read_bytes(), _TYPES[path.suffix])
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }
        pages = [path for path in self._files if path.endswith(".html")]
        self._files |= {path.removesuffix(".html"): self._files[path] for path in pages}
        self._files["/"] = self._files["/index.html"]

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Serve while the context lasts; gives the page's URL. Raises `ConfigError` if the address can't be had."""
        connections: set[GuardedConnection] = set()
        server = await self._open(connections)
        address, bound_port = next(iter(server.sockets)).getsockname()[:2]
        self._on_loopback = is_loopback(address)
        shown, scheme = _reachable(address), "https" if self._serving.tls else "http"
        limit_s = _STOP_S
        try:
            self._url = f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{bound_port}/"
            yield self._url
            limit_s = _FAREWELL_S
        finally:
            server.close(code=CloseCode.GOING_AWAY, reason="the source has ended")
            with suppress(TimeoutError):  # who has connected and says nothing, as browsers do, holds up no end
                async with asyncio.timeout(limit_s):
                    await server.wait_closed()
            for connection in connections:
                connection.transport.abort()

    async def _open(self, connections: set[GuardedConnection]) -> Server:
        host, port = self._serving.host, self._serving.port
        allow_files(self._serving.max_clients + 2 * _BESIDE_CLIENTS)
        guarded = partial(
            GuardedConnection, addresses=self._addresses, proxies=self._serving.proxies, connections=connections
        )
        try:
            return await serve(
                self._stream,
                **_where(host, port),
                ssl=self._serving.tls,
                process_request=self._respond,
                create_connection=cast("type[ServerConnection]", guarded),
                compression=None,
                extensions=[DEFLATE],
                max_size=MAX_MESSAGE,
                open_timeout=self._serving.open_limit_s,
                close_timeout=_FAREWELL_S,
                server_header=None,
            )
        except (OSError, UnicodeError) as error:  # the latter for names that can be no host's
            reason = (getattr(error, "strerror", "") or str(error)).split("]", maxsplit=1)[-1].strip()
            msg = f"can't serve on {host}:{port}: {reason}; choose another with --host and --port"
            raise ConfigError(msg) from error

    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a page request; let a WebSocket handshake of someone who may have the stream go on."""
        hosts = request.headers.get_all("Host")
        origin = ", ".join(request.headers.get_all("Origin")) or None
        path, _, query = request.path.partition("?")
        guarded = cast("GuardedConnection", connection)
        by_tls = guarded.heed_proxy(request.headers) or self._serving.tls is not None
        if guarded.place != "in":
            answer: Answer | None = _refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many connections from your address")
        elif self._on_loopback and not all(is_loopback(host) or self._access.knows(host) for host in hosts):
            # Otherwise any page on the web could read the stream, by a name of its own that leads to this machine.
            advice = "open 127.0.0.1, or let it be served as one of allowed_hosts"
            answer = _refusal(HTTPStatus.FORBIDDEN, f"{hosts[0]} is not served here; {advice}")
        elif path == "/login":
            return self._log_in(query, by_tls=by_tls)
        elif path == "/ws":
            answer = self._refuse_stream(request, query, origin, hosts)
        elif path == SOUND:
            answer = self._refuse_origin(origin, hosts)
        elif path in _CODES:
            answer = self._code(path, request, at_home=guarded.is_from_here)
        else:
            answer = await self._answer(request, origin, hosts)
        if answer is None:
            return None
        response = _response(answer)
        if answer.content_type == _TYPES[".html"]:  # a page: all lie in one folder, that of the cookie
            cookie = self._access.renewed_cookie(_cookies(request), secure=by_tls)
            response.headers.update({"Set-Cookie": cookie} if cookie else {})
        if origin is not None and origin in self._access.origins:
            response.headers.update({"Access-Control-Allow-Origin": origin, "Vary": "Origin"})
        return response

    async def _answer(self, request: Request, origin: str | None, hosts: list[str]) -> Answer:
        """Answer for a page or what is made on request; the page itself holds nothing of the sound."""
        path, _, query = request.path.partition("?")
        posted = request.method == "POST"
        if path in self._files and not posted:
            return self._files[path]
        route = self._routes.get((request.method, path))
        if route is None and (posted or path not in self._answers):
            return _refusal(HTTPStatus.NOT_FOUND, "no such page")
        if refusal := self._refuse(request, origin if posted else None, hosts):
            return refusal
        try:
            asked = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
            if (name := asked.get("input", "")) and name not in self._fanouts:
                msg = f"there is no such input; known are {', '.join(self._fanouts)}"
                raise ProtocolError(msg)
            return await route(asked) if route else self._answers[path](name)
        except (StreamAnalyzerError, ValueError) as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))

    def _refuse(self, request: Request, origin: str | None, hosts: list[str]) -> Answer | None:
        """Return why an answer is refused, or None; ``origin`` is that of the page which would change something."""
        if not self._access.owns(origin, hosts):
            return _refusal(HTTPStatus.FORBIDDEN, f"origin {origin} is not this server; its pages may look, not touch")
        if request.path.partition("?")[0] not in _FOR_ANYONE and self._judge(request) != "good":
            return _refusal(HTTPStatus.UNAUTHORIZED, f"a token is needed; {_LOG_IN}, or send Authorization: Bearer")
        return None

    def _refuse_stream(self, request: Request, query: str, origin: str | None, hosts: list[str]) -> Answer | None:
        """Return why a handshake is refused, or None."""
        if refusal := self._refuse_origin(origin, hosts):
            return refusal
        if self._judge(request) == "wrong":
            return _refusal(HTTPStatus.UNAUTHORIZED, "wrong token")
        try:
            self._subscription(query)
        except ProtocolError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))
        return None

    def _refuse_origin(self, origin: str | None, hosts: list[str]) -> Answer | None:
        if self._access.admits(origin, hosts):
            return None
        return _refusal(HTTPStatus.FORBIDDEN, f"origin {origin} is neither this server nor one of its origins")

    def _code(self, path: str, request: Request, *, at_home: bool) -> Answer:
        """Return a link as a QR code; one that holds a secret for this machine itself alone, and who is logged in."""
        if self._on_loopback:
            return _refusal(HTTPStatus.NOT_FOUND, "no phone can reach this machine's own address; serve on another")
        if path not in _OPEN_CODES and not (at_home and self._judge(request) == "good"):
            return _refusal(HTTPStatus.FORBIDDEN, "for who is logged in on the analyzer's own machine")
        return Answer(qr.svg(self._url + _CODES[path](self._access)), _TYPES[".svg"])

    def _log_in(self, query: str, *, by_tls: bool) -> Response:
        """Give who follows the login link a cookie, and a page whose address holds no token."""
        if not self._access.judge_login(query):
            return _response(_refusal(HTTPStatus.UNAUTHORIZED, f"no such token; {_LOG_IN}"))
        response = _response(Answer(b"", _TEXT, HTTPStatus.SEE_OTHER))
        cookie = self._access.login_cookie(secure=by_tls)
        shown = urlencode([(name, value) for name, value in parse_qsl(query) if name in _PAGE_PARAMETERS])
        place = f"./?{shown}" if shown else "./"  # relative, for a proxy may serve it in any folder
        del response.headers["Cache-Control"]  # assigning would add to it
        response.headers.update({"Location": place, "Set-Cookie": cookie, "Cache-Control": "no-store"})
        return response

    def _subscription(self, query: str) -> Subscription:
        return parse_subscription(query, types=self._types, inputs=list(self._fanouts))

    def _judge(self, request: Request) -> Verdict:
        authorization = request.headers.get_all("Authorization")
        return self._access.judge(
            authorization=authorization[0] if len(authorization) == 1 else None, cookies=_cookies(request)
        )

    async def _stream(self, connection: ServerConnection) -> None:
        """Let one client have the stream until it leaves. What it says then is read and ignored, but for a wish."""
        if connection.request and connection.request.path.partition("?")[0] == SOUND:
            await hear(connection, self._hearing, self._access, limit_s=self._serving.token_limit_s)
            return
        try:
            query = connection.request.path.partition("?")[2] if connection.request else ""
            wanted = self._subscription(query)
            name = wanted.input or next(iter(self._fanouts))
            fanout, listen_to = self._fanouts[name], self._listen_to.get(name)
            if not await self._admit(connection, fanout):
                return
            with fanout.client(connection, wanted):
                async for message in connection:
                    if (channel := read_wish(message)) and listen_to and self._may_steer(connection):
                        listen_to(channel)
        except ConnectionClosed as closed:
            logger.debug("client %s left: %s", connection.remote_address, closed)

    def _may_steer(self, connection: ServerConnection) -> bool:
        """Tell whether this is a page opened on this very machine, which alone is served: a token is for looking."""
        origins = connection.request.headers.get_all("Origin") if connection.request else []
        return self._on_loopback and len(origins) == 1 and is_loopback(origins[0].partition("://")[2])

    async def _admit(self, connection: ServerConnection, fanout: Fanout) -> bool:
        """Wait for the token of a client that has not shown it yet, and see that there is room."""
        if connection.request is None or self._judge(connection.request) != "good":
            try:
                async with asyncio.timeout(self._serving.token_limit_s):
                    shown = self._access.judge_message(await connection.recv())
            except TimeoutError:
                shown = False
            if not shown:
                await connection.close(CloseCode.POLICY_VIOLATION, 'the first message must be {"token": TOKEN}')
                return False
        if sum(one.counters.clients for one in self._fanouts.values()) >= self._serving.max_clients:
            fanout.counters.refused += 1
            await connection.close(CloseCode.TRY_AGAIN_LATER, "no room for more clients; try again later")
            return False
        return True


def _cookies(request: Request) -> str:
    return "; ".join(request.headers.get_all("Cookie"))


def _where(host: str, port: int) -> dict[str, Any]:
    """Return where to listen: the address of all IPv6 stands for IPv4 too, where the system can do that."""
    if host != "::" or not socket.has_dualstack_ipv6():
        return {"host": host, "port": port}
    return {"sock": socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)}


def _reachable(address: str) -> str:
    """Return an address under which others reach a server that listens on all."""
    if address not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return address
    families = [(socket.AF_INET6, "2001:db8::1")] * (address == "::") + [(socket.AF_INET, "192.0.2.1")]
    for family, documentation in families:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((documentation, 9))  # sends nothing: it asks which of our addresses would be used
            return str(probe.getsockname()[0])
    return socket.gethostname()


def _refusal(status: HTTPStatus, text: str) -> Answer:
    return Answer(f"{text}\n".encode(), _TEXT, status)


def _response(answer: Answer) -> Response:
    length = str(len(answer.body))
    headers = Headers({"Content-Type": answer.content_type, "Content-Length": length, "Connection": "close"})
    headers.update(_SECURITY_HEADERS)
    if answer.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(answer.status, answer.status.phrase, headers, answer.body)
