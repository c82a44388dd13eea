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

from stream_analyzer.errors import ConfigError
from stream_analyzer.wire import TYPES, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_TYPES: tuple[Kind, ...] = ("tempo", "genre", "level", "status", "summary")
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
    kinds: frozenset[Kind]
    hz: float | None
    ssl: ssl_module.SSLContext | None
    token: str | None = field(repr=False)

    @classmethod
    def of(
        cls,
        url: str,
        *,
        types: str | Iterable[str],
        hz: float | None,
        token: str | None,
        ssl: ssl_module.SSLContext | None,
    ) -> Endpoint:
        """Check what a caller says. Raises `ConfigError`."""
        names = types.split(",") if isinstance(types, str) else list(types)
        unknown = [name for name in names if name not in TYPES]
        if unknown or not names:
            msg = f"types: there is no {unknown[0]!r}" if unknown else "types: none"
            msg += f"; choose among {', '.join(TYPES)}"
            raise ConfigError(msg)
        if token is not None and not _TOKEN.fullmatch(token):
            msg = "the token must be printable characters without spaces; check where it comes from"
            raise ConfigError(msg)
        url = stream_url(url)
        if ssl and not url.startswith("wss:"):
            msg = f"{url} is not encrypted, so ssl must not be given; write wss:// or leave it out"
            raise ConfigError(msg)
        kinds = frozenset(kind for kind in TYPES if kind in names)
        return cls(url, kinds, hz, ssl, token)

    @property
    def options(self) -> dict[str, Any]:
        """What goes with the address to `websockets`: the token as a header, and how to check the certificate."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"additional_headers": headers} | ({"ssl": self.ssl} if self.ssl else {})

    def address(self, *, since: tuple[str, int] | None) -> str:
        """Return the URL to connect to; ``since`` is the newest message that came, by session and number."""
        asked = {"types": ",".join(kind for kind in TYPES if kind in self.kinds)}
        if self.hz is not None:
            asked["hz"] = f"{self.hz:g}"
        if since:
            asked["since"] = "{}.{}".format(*since)
        return f"{self.url}?{urlencode(asked, safe=',')}"


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
    if not isinstance(error, InvalidStatus):
        return None
    status = error.response.status_code
    if status in _SERVER_FAULTS or status == HTTPStatus.TOO_MANY_REQUESTS:
        return None
    said = _one_line(bytes(error.response.body or b"").decode(errors="replace"))
    hint: dict[int, str] = {
        HTTPStatus.UNAUTHORIZED: "check the token" if endpoint.token else "it asks for a token",
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
