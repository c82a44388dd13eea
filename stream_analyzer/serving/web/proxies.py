"""Proxies that are trusted to say for whom they ask: `Forwarded` (RFC 7239) and `X-Forwarded-*`. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_analyzer.system.address import plain_address

if TYPE_CHECKING:
    from collections.abc import Callable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PARAMETER = re.compile(r'(for|proto)=("[^"]*"|[^;,\s]*)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proxies:
    """The networks that trusted proxies are in."""

    networks: tuple[Network, ...] = ()

    def trust(self, address: str) -> bool:
        """Tell whether this is the address of a trusted proxy."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)

    def client(self, peer: str, headers: Callable[[str], list[str]]) -> str:
        """Return for whom ``peer`` asks: the last one named who is no trusted proxy.

        Each proxy adds at the end from whom it heard. What stands before the word of the first trusted one anyone may
        have written.
        """
        client = peer
        for name in reversed(_forwarded(headers("Forwarded"), "for") or _listed(headers("X-Forwarded-For"))):
            if not self.trust(client) or not (named := plain_address(name)):
                break
            client = named
        return client

    def by_tls(self, peer: str, headers: Callable[[str], list[str]]) -> bool:
        """Tell whether the browser reached a trusted proxy by https."""
        schemes = _forwarded(headers("Forwarded"), "proto") or _listed(headers("X-Forwarded-Proto"))
        return self.trust(peer) and bool(schemes) and schemes[0].lower() == "https"


def _forwarded(headers: list[str], wanted: str) -> list[str]:
    found = (match for header in headers for match in _PARAMETER.finditer(header))
    return [match[2].strip('"') for match in found if match[1].lower() == wanted]


def _listed(headers: list[str]) -> list[str]:
    return [item.strip() for header in headers for item in header.split(",")]
