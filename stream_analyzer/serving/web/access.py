"""Who may have the stream: tokens, cookies, origins, names of this machine, connections by address. Pure.

A token comes by `Authorization: Bearer`, by the cookie that the login link sets, or in a client's first message. It is
compared in constant time and never shown.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import parse_qs, urlencode

from stream_analyzer.system.address import without_port

COOKIE = "stream_analyzer"
COOKIE_DAYS = 400  # as long as browsers allow
_KEY_DIGITS = 32
_OVERDRAFT = 16  # connections beyond the limit that are told so; more are cut off

Verdict = Literal["good", "wrong", "none"]
Place = Literal["in", "too many", "far too many"]


@dataclass(frozen=True, slots=True)
class Access:
    """What a server asks of its clients: a token unless it is empty, and an origin of its own or of ``origins``.

    ``hosts`` are the names, with or without a port, under which others know it, as of a proxy.
    """

    token: str = field(default="", repr=False)
    origins: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    @property
    def cookie(self) -> str:
        """What the cookie holds: made from the token, so that no browser keeps the token itself."""
        return hmac.new(self.token.encode(), b"cookie", hashlib.sha256).hexdigest()

    def fits(self, token: str) -> bool:
        """Tell whether this is the token."""
        return _same(token, self.token)

    def judge(self, *, authorization: str | None, cookies: str | None) -> Verdict:
        """Judge what a request brings along; a cookie of another token is none, for it can't be helped by its page."""
        if not self.token:
            return "good"
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            return "good" if scheme.lower() == "bearer" and self.fits(token.strip()) else "wrong"
        return "good" if _same(_read_cookie(cookies or ""), self.cookie) else "none"

    def judge_message(self, message: str | bytes) -> bool:
        """Tell whether a client's first message is ``{"token": TOKEN}``."""
        token = _said(message, "token")
        return token is not None and self.fits(token)

    @property
    def phone_key(self) -> str:
        """What a phone shows that may be heard: who may look may not speak, so it is made from the token."""
        return hmac.new(self.token.encode(), b"phone", hashlib.sha256).hexdigest()[:_KEY_DIGITS] if self.token else ""

    @property
    def login_path(self) -> str:
        """What follows the server's address in the link that logs in."""
        return f"login?{urlencode({'token': self.token})}" if self.token else ""

    @property
    def phone_path(self) -> str:
        """What follows it in the link that makes a phone the microphone; no server and no log gets the key to see."""
        return f"mic#{self.phone_key}" if self.token else "mic"

    def judge_phone(self, message: str | bytes) -> bool:
        """Tell whether a phone's first message is ``{"key": KEY}``."""
        key = _said(message, "key")
        return bool(self.token) and key is not None and _same(key, self.phone_key)

    def judge_login(self, query: str) -> bool:
        """Tell whether the query of a login link holds the token."""
        try:
            given = parse_qs(query, max_num_fields=4).get("token", [])
        except ValueError:
            return False
        return bool(self.token) and len(given) == 1 and self.fits(given[0])

    def renewed_cookie(self, cookies: str, *, secure: bool) -> str | None:
        """Return the header that makes a good cookie last longer, or None: whoever comes back stays logged in."""
        known = bool(self.token) and _same(_read_cookie(cookies), self.cookie)
        return self.login_cookie(secure=secure) if known else None

    def login_cookie(self, *, secure: bool) -> str:
        """Return the header that sets the cookie, for the folder of the login link: behind a proxy it may be any."""
        parts = [f"{COOKIE}={self.cookie}", f"Max-Age={COOKIE_DAYS * 86_400}", "HttpOnly", "SameSite=Strict"]
        return "; ".join(parts + ["Secure"] * secure)

    def admits(self, origin: str | None, hosts: list[str]) -> bool:
        """Tell whether a page of ``origin`` may connect: this server's own, a listed one, or no page at all."""
        return origin in self.origins or self.owns(origin, hosts)

    def owns(self, origin: str | None, hosts: list[str]) -> bool:
        """Tell whether this is this server's own page, or no page at all; only these may change anything here.

        A browser names the origin of whatever posts, so that no other page can do it in its user's name.
        """
        if origin is None:
            return True
        host = origin.partition("://")[2]
        return [host] == hosts or self.knows(host)

    def knows(self, host: str) -> bool:
        """Tell whether this is one of the names under which others know the server; one without a port is for any."""
        name = host.strip().lower()
        return bool(name) and not self.hosts.isdisjoint((name, without_port(name)))


class Addresses:
    """How many connections each address has. State: those counts, of who is in and of who is being refused."""

    def __init__(self, limit: int, *, total: int) -> None:
        """Allow each address ``limit`` connections, and all of them ``total``."""
        self._limit, self._total = limit, total
        self._open: dict[Place, Counter[str]] = {"in": Counter(), "too many": Counter(), "far too many": Counter()}

    def enter(self, address: str) -> Place:
        """Count a connection; return its place. The first of an address are in, and the others count for nothing.

        One of too many is worth an answer, one of far too many is not. Who has no address yet is counted in all alone.
        """
        inside, refused = self._open["in"], self._open["too many"]
        if inside.total() + refused.total() >= self._total:
            place: Place = "far too many"
        elif not address or inside[address] < self._limit:
            place = "in"
        else:
            place = "too many" if refused[address] < _OVERDRAFT else "far too many"
        self._open[place][address] += 1
        return place

    def leave(self, address: str, place: Place) -> None:
        """Count one less."""
        counts = self._open[place]
        counts[address] -= 1
        if not counts[address]:
            del counts[address]


def _said(message: str | bytes, name: str) -> str | None:
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    value = said.get(name) if isinstance(said, dict) else None
    return value if isinstance(value, str) else None


def _same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing, lengths included."""
    digests = (hashlib.sha256(text.encode(errors="surrogatepass")).digest() for text in (one, other))
    return hmac.compare_digest(*digests)


def _read_cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
