"""Why there is no line to a broker: in a few words, with what may help. Pure."""

from __future__ import annotations

import re

TOO_NEW = "Unsupported protocol version"
TIMED_OUT = "Operation timed out"
_NOISE = re.compile(r"\[[^]]*\] ?| \(_ssl\.c:\d+\)")
_HINTS = {
    "certificate verify failed": "is mqtt_ca the authority that signed the broker's certificate, for this name?",
    TIMED_OUT: "does it speak TLS, and want a client certificate, or not?",
    "Not authorized": "check mqtt_user and mqtt_password",
    "Bad user": "check mqtt_user and mqtt_password",
    "refused": "is the broker running?",
}


def why_away(error: BaseException, *, greeted: bool, parting: str) -> str:
    """Say what is wrong: with a broker that has ``greeted`` the line, with one that has not it may be the settings.

    ``parting`` is what the broker said on leaving, if anything.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = _NOISE.sub("", str(error)).rstrip(".")
    if greeted:
        return text if TIMED_OUT in text else f"the connection broke{f': {parting}' if parting else ''}"
    hint = next((hint for part, hint in _HINTS.items() if part in text), "")
    return f"{text} ({hint})" if hint else text
