"""For whom the stream is served: the token that is set, or made once and kept, and the link that shows it."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from typing import TYPE_CHECKING

from stream_analyzer.errors import ConfigError
from stream_analyzer.serving.web.access import Access
from stream_analyzer.serving.web.connection import tls_context
from stream_analyzer.serving.web.proxies import Proxies
from stream_analyzer.serving.web.server import Serving
from stream_analyzer.settings.config import state_folder
from stream_analyzer.settings.readers import ENV_PREFIX
from stream_analyzer.system.address import is_loopback
from stream_analyzer.system.qr import draw

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.settings.config import Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def serving(settings: Settings) -> Serving:
    """Return where to serve, and for whom: where others can reach the port, a token is needed in any case."""
    token = settings.token or ("" if is_loopback(settings.host) else kept_token(token_file()))
    return Serving(
        settings.host,
        settings.port,
        access=Access(token, settings.origins, settings.allowed_hosts),
        proxies=Proxies(settings.trusted_proxies),
        tls=tls_context(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None,
        max_clients=settings.max_clients,
        max_per_address=settings.max_per_address,
    )


def link(url: str, access: Access, *, kept: bool) -> str:
    """Return what to open in a browser; the token in it on a terminal alone, for other outputs end up in logs."""
    if not access.token:
        return url
    if sys.stderr.isatty():
        return url + access.login_path
    return f"{url}login?token=TOKEN (TOKEN is {f'in {token_file()}' if kept else 'the one that is set'})"


def show_codes(url: str, access: Access, *, phone: bool) -> None:
    """Draw on a terminal what a phone scans: the login link, and where a phone is the input the link to be heard."""
    if not sys.stderr.isatty() or not access.token:
        return
    for what, path in (("look", access.login_path), *([("be heard", access.phone_path)] if phone else [])):
        print(f"To {what}, with a phone: {url}{path}", file=sys.stderr)  # noqa: T201
        draw(url + path, sys.stderr)


def token_file() -> Path:
    """Return where a token that nobody set is kept."""
    return state_folder() / "token"


def kept_token(path: Path) -> str:
    """Read the token, or make it, in a file that its user alone can read. Raises `ConfigError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(24))
        except FileExistsError:
            pass  # from the start before
        token = path.read_text().strip()
        open_to_others = os.name == "posix" and path.stat().st_mode & _OTHERS
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        msg = f"can't keep a token in {path}: {reason}; set {ENV_PREFIX}TOKEN, or name a file with --token-file"
        raise ConfigError(msg) from error
    if open_to_others or not token:
        msg = f"{path}: {'others may read it' if token else 'it is empty'}; delete it, and a new token is made"
        raise ConfigError(msg)
    return token
