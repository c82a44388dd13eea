"""Ask a web server for sound: through playlists to the station, its titles told apart from the sound (ICY).

Certificates are checked, by Python. An answer may lead on to other addresses of http and https, and to nothing else.
"""

from __future__ import annotations

import base64
import http.client
import re
import socket
import ssl
import threading
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from stream_analyzer import __version__
from stream_analyzer.errors import AudioError
from stream_analyzer.sound.media import READ_LIMIT_S
from stream_analyzer.system.address import is_network_url

if TYPE_CHECKING:
    from http.client import HTTPResponse

_PLAYLIST_TYPES = ("mpegurl", "x-scpls", "pls+xml", "xspf")
_PLAYLIST_ENDS = (".m3u8", ".m3u", ".pls")
_PLAYLIST_BYTES = 1_000_000
_DEEP = 4  # playlists that lead to playlists
_PLS_ENTRY = re.compile(r"^File\d+\s*=\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_TITLE = re.compile(r"StreamTitle='(.*?)';", re.DOTALL)
_TITLE_UNIT = 16  # bytes that the length of a title counts in
_TITLE_LIMIT = 200


class Station:
    """The sound that a station sends without end. State: bytes until the next title, and the newest title."""

    def __init__(self, response: HTTPResponse) -> None:
        """Read the answer's body."""
        self._response, self._reading = response, threading.Lock()
        headers = response.headers
        every = headers.get("icy-metaint", "")
        self._every = self._left = int(every) if every.isdecimal() else 0
        self.name = _text(headers.get("icy-name", "").encode("latin-1", "replace")).strip()
        self.title = ""

    def read(self, size: int, /) -> bytes:
        """Read ``size`` bytes of sound, less at the end. Raises `AudioError`."""
        try:
            with self._reading:
                return self._read(size)
        except (OSError, http.client.HTTPException) as error:
            raise AudioError(_reason(error)) from error

    def cut(self) -> None:
        """Break the connection, though another thread may be reading from it."""
        raw: Any = getattr(self._response.fp, "raw", None)
        with suppress(OSError, AttributeError):  # it is over already
            raw._sock.shutdown(socket.SHUT_RDWR)  # noqa: SLF001 - ends that thread's read
        with self._reading:
            self._response.close()

    def _read(self, size: int) -> bytes:
        if not self._every:
            return self._response.read(size)
        if not self._left:
            self._read_title()
            self._left = self._every
        data = self._response.read(min(size, self._left))
        self._left -= len(data)
        return data

    def _read_title(self) -> None:
        length = self._response.read(1)
        if said := self._response.read(_TITLE_UNIT * length[0]) if length else b"":
            found = _TITLE.search(_text(said))
            self.title = found[1].strip()[:_TITLE_LIMIT] if found else self.title


def ask(url: str) -> Station | str:
    """Return the station that an address of http or https leads to, or the address of what has an end or pieces (HLS).

    That FFmpeg fetches by itself, since it can seek in it. Raises `AudioError` with the reason in one line.
    """
    for _ in range(_DEEP):
        response = _get(url)
        kind, headers = response.headers.get_content_type(), response.headers
        named = urlsplit(response.url).path.lower()
        if not (any(word in kind for word in _PLAYLIST_TYPES) or named.endswith(_PLAYLIST_ENDS)):
            if any(name.lower().startswith("icy-") for name in headers) or "Content-Length" not in headers:
                return Station(response)
            response.close()
            return _with_login(response.url, url)
        with response:
            text = _text(response.read(_PLAYLIST_BYTES))
        if "#EXT-X-" in text:
            return _with_login(response.url, url)
        url = _first_entry(text, base=response.url)
    msg = "leads from playlist to playlist; name the station itself"
    raise AudioError(msg)


def _with_login(found: str, asked: str) -> str:
    """Return where an address led, with the user and password that it was asked with, on the same host alone."""
    before, after = urlsplit(asked), urlsplit(found)
    return asked if before.username is not None and before.hostname == after.hostname else found


def _first_entry(text: str, *, base: str) -> str:
    """Return the first station of an M3U or PLS playlist."""
    plain = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    is_pls = text.lstrip().lower().startswith("[playlist]")
    entries: list[str] = _PLS_ENTRY.findall(text) if is_pls else list(filter(None, plain))
    for entry in entries:
        with suppress(ValueError):  # it is no address
            url = urljoin(base, entry)
            if is_network_url(url) and url.startswith("http"):
                return url
    msg = "is a playlist without an address of http or https"
    raise AudioError(msg)


def _get(url: str) -> HTTPResponse:
    parts = urlsplit(url)
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    headers = {"Icy-MetaData": "1", "User-Agent": f"stream-analyzer/{__version__}", "Accept": "*/*"}
    request = urllib.request.Request(plain, headers=headers)  # noqa: S310 - the opener knows http and https alone
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}")
    try:
        response: HTTPResponse = _opener().open(request, timeout=READ_LIMIT_S)
    except HTTPError as error:
        error.close()
        msg = f"answers {error.code} {error.reason}"
        raise AudioError(msg) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AudioError(_reason(error)) from error
    return response


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens http and https: the usual one opens files too, wherever a redirect leads to one."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"has a certificate that can't be trusted: {reason.verify_message}"
    if isinstance(reason, TimeoutError):
        return "does not answer"
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return " ".join(said.split()).rstrip(".")


def _text(data: bytes) -> str:
    """Return what a station calls something: UTF-8 mostly, Latin-1 else; nothing but what can be shown."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\0", "")
