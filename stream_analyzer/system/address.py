"""Addresses: where someone listens, what is this machine itself, how browsers write where a page comes from."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """Where someone listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is shown to people."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MqttAddress(Address):
    """Where an MQTT broker listens, and whether by TLS."""

    tls: bool


@dataclass(frozen=True, slots=True)
class OscReceiver(Address):
    """Where OSC goes: to all addresses, or as one number to the address ``pattern``, put from ``bpm`` into ``to``.

    Of several inputs that number is of the one named ``input``, or of the first.
    """

    pattern: str = ""
    bpm: tuple[float, float] | None = None
    to: tuple[float, float] = (0.0, 1.0)
    input: str = ""

    def place(self, bpm: float) -> float:
        """Return a tempo as this receiver wants it; beyond the range it is the nearest end."""
        if self.bpm is None:
            return bpm
        (low, high), (bottom, top) = self.bpm, self.to
        return bottom + (top - bottom) * min(1.0, max(0.0, (bpm - low) / (high - low)))


def without_port(host: str) -> str:
    """Return a host, of a header or an address, without its port and without brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def is_loopback(host: str) -> bool:
    """Tell whether a Host header, a setting or an address names this machine itself and nothing else."""
    name = without_port(host.strip())
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def plain_address(text: str) -> str:
    """Return an address without port and brackets, IPv4 within IPv6 as IPv4; empty if it is none."""
    try:
        address = ipaddress.ip_address(without_port(text.strip()))
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


_NETWORK_URL = re.compile(r"(https?|rtsps?)://[^\s/]+\S*")
NETWORK_URLS = "http://, https://, rtsp:// or rtsps:// with a host"


def is_network_url(text: str) -> bool:
    """Tell whether this is one of `NETWORK_URLS`, and whole."""
    try:
        parts = urlsplit(text)
        return bool(_NETWORK_URL.fullmatch(text) and parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_url(text: str) -> bool:
    """Tell whether this is meant as an address with a scheme; one letter is a drive of Windows."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text))


def is_origin(text: str) -> bool:
    """Tell whether this is how a browser writes an origin: scheme and host, a port that is not the usual, no more."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.netloc
    return bool(parts.hostname) and port != 0 and "@" not in host and text == f"{parts.scheme}://{host}" == text.lower()
