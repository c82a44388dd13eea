"""Certificates for the connection to a broker."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

from stream_analyzer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_NOISE = re.compile(r"\[[^]]*\] ?| \(_ssl\.c:\d+\)")


def tls_context(*, ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return what a TLS connection is checked and, with a client certificate, introduced by.

    Raises
    ------
    ConfigError
        A file is no PEM certificate or key, or they don't belong together.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        msg = f"mqtt_ca = {str(ca)!r} can't be used: {_NOISE.sub('', str(error))}; it must hold PEM certificates"
        raise ConfigError(msg) from error
    if certificate:
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            what = f"mqtt_cert = {str(certificate)!r}" + (f", mqtt_key = {str(key)!r}" if key else "")
            reason = _NOISE.sub("", str(error))
            msg = f"{what} can't be used: {reason}; they must be PEM files that belong together, the key unencrypted"
            raise ConfigError(msg) from error
    return context


def _no_password() -> str:
    """Answer for the terminal, where OpenSSL would ask for a password and wait."""
    return ""
