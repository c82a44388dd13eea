"""Where an analyzer's stream is to be had, what is asked of it, and what is wrong when it can't be had."""

from __future__ import annotations

import errno
import os
import re
import ssl as ssl_module
from dataclasses import dataclass, field
from http import HTTPStatus
from socket import gaierror
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidProxy, InvalidStatus
from websockets.frames import CloseCode

from stream_analyzer.errors import ConfigError, ProtocolError
from stream_analyzer.protocol.subscription import Choice, Place, parse_subscription

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT_TYPES = "tempo,beat,genre,key,loudness,energy,moment,level,status,summary,mark"
_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_TOKEN = re.compile(r"[!-~]+")
_ERRNO = re.compile(r"Errno (\d+)")
_SERVER_FAULTS = range(500, 600)
_SHOWN = 200
_EXAMPLE = "ws://HOST:8765/ws"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A stream and the choice of a subscriber. ``url`` has no query; the token is never shown."""

    url: str
    choice: Choice
    ssl: ssl_module.SSLContext | None
    token: str | None = field(repr=False)
    input: str = ""

    @classmethod
    def of(
        cls,
        url: str,
        *,
        types: str | Iterable[str],
        hz: float | None,
        token: str | None,
        ssl: ssl_module.SSLContext | None,
        input_name: str | None = None,
    ) -> Endpoint:
        """Check what a caller says. Raises `ConfigError`."""
        url = stream_url(url)
        try:
            kinds = types if isinstance(types, str) else ",".join(types)
            wanted = parse_subscription(_query(kinds, hz, input_name=input_name))
        except ProtocolError as error:
            raise ConfigError(str(error)) from error
        if token is not None and not _TOKEN.fullmatch(token):
            msg = "the token must be printable characters without spaces; check where it comes from"
            raise ConfigError(msg)
        if ssl and not url.startswith("wss:"):
            msg = f"{url} is not encrypted, so ssl must not be given; write wss:// or leave it out"
            raise ConfigError(msg)
        return cls(url, wanted.choice, ssl, token, wanted.input)

    @property
    def options(self) -> dict[str, Any]:
        """What goes with the address to `websockets`: the token as a header, and how to check the certificate."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"additional_headers": headers} | ({"ssl": self.ssl} if self.ssl else {})

    def address(self, *, since: Place | None) -> str:
        """Return the URL to connect to, to go on after the message at ``since``."""
        return f"{self.url}?{_query(','.join(sorted(self.choice.kinds)), self.choice.hz, since, self.input or None)}"


def _query(types: str, hz: float | None, since: Place | None = None, input_name: str | None = None) -> str:
    given = {
        "types": types,
        "hz": None if hz is None else f"{hz:g}",
        "since": since and str(since),
        "input": input_name,
    }
    return urlencode({name: value for name, value in given.items() if value is not None}, safe=",")


def stream_url(url: str) -> str:
    """Return the stream's URL for that of the stream, of the page, or a bare ``host:port``. Raises `ConfigError`."""
    try:
        parts = urlsplit(url if "://" in url else f"ws://{url}")
        port = parts.port
    except ValueError as error:
        msg = f"{url!r:.{_SHOWN}} is no address: {error}; write it like {_EXAMPLE}"
        raise ConfigError(msg) from error
    if parts.scheme not in _SCHEMES or not parts.hostname or port == 0 or re.search(r"[^!-~]", parts.netloc):
        msg = f"{url!r:.{_SHOWN}} is no address of a stream; write it like {_EXAMPLE}"
        raise ConfigError(msg)
    if parts.username is not None or parts.query or parts.fragment:
        msg = f"the address of {parts.hostname} must hold no token, types or hz; give them apart from it"
        raise ConfigError(msg)
    path = parts.path if parts.path and not parts.path.endswith("/") else f"{parts.path or '/'}ws"
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}"


def fatal(error: Exception, endpoint: Endpoint) -> ConfigError | None:
    """Return what the user must mend before another attempt makes sense, if that is so."""
    url = endpoint.url
    if isinstance(error, ssl_module.SSLCertVerificationError):
        return ConfigError(f"{url}: untrusted certificate ({error.verify_message}); name its CA in SSL_CERT_FILE")
    if isinstance(error, InvalidProxy):
        return ConfigError(f"{url}: {error}; check the proxy settings of the environment")
    asks = "check the token" if endpoint.token else "it asks for a token"
    if isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code == CloseCode.POLICY_VIOLATION:
        return ConfigError(f"{url} refuses: {_one_line(error.rcvd.reason)}; {asks}")
    if not isinstance(error, InvalidStatus):
        return None
    status = error.response.status_code
    if status in _SERVER_FAULTS or status == HTTPStatus.TOO_MANY_REQUESTS:
        return None
    said = _one_line(bytes(error.response.body or b"").decode(errors="replace"))
    hint: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: asks,
        HTTPStatus.NOT_FOUND: "is that a Stream Analyzer?",
        HTTPStatus.OK: "is that a Stream Analyzer?",
    }
    what = f"{status} {error.response.reason_phrase}", said, hint.get(status, "")
    return ConfigError(f"{url} refuses: " + "; ".join(filter(None, what)))


def reason(error: Exception) -> str:
    """Say in few words why there is no line."""
    if isinstance(error, ConnectionClosed):
        if error.rcvd is None:
            return "the connection broke"
        return _one_line(error.rcvd.reason) or f"closed with code {error.rcvd.code}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, gaierror):
        return _one_line(error.strerror or str(error))
    if isinstance(error, OSError):  # asyncio puts several into the text of one
        number = error.errno or int(next(iter(_ERRNO.findall(str(error))), 0))
        return os.strerror(number).lower() if number in errno.errorcode else _one_line(str(error))
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
