"""Sets a mark in a running analyzer, by one request."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from stream_analyzer.client.endpoint import stream_url
from stream_analyzer.errors import ConfigError, ProtocolError

_LIMIT_S = 10.0
_SHOWN = 200
_PLAIN = {"ws": "http", "wss": "https"}


def set_mark(url: str, text: str = "", *, token: str = "") -> float:
    """Mark the moment that an analyzer hears now; return its time on the sample clock.

    ``url`` is that of its page or stream.

    Raises
    ------
    ConfigError
        It can't be reached, or refuses; says why.
    ProtocolError
        It answers with something else.
    """
    parts = urlsplit(stream_url(url))
    page = f"{_PLAIN[parts.scheme]}://{parts.netloc}{parts.path.removesuffix('ws')}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = Request(f"{page}marks?{urlencode({'text': text})}", method="POST", headers=headers)  # noqa: S310 - http(s)
    try:
        with urlopen(request, timeout=_LIMIT_S) as answer:  # noqa: S310
            said: Any = json.loads(answer.read())
        return float(said["time_s"])
    except HTTPError as error:
        with error:
            why = " ".join(error.read(_SHOWN).decode(errors="replace").split())
        msg = f"{page} refuses: {error.code} {why}"
        raise ConfigError(msg) from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        msg = f"{page} can't be reached: {getattr(reason, 'strerror', None) or reason}; is the analyzer running?"
        raise ConfigError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{page} does not answer like a Stream Analyzer; check the address"
        raise ProtocolError(msg) from error
