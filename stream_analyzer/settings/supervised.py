"""What a supervisor says in the environment of the programs that it starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stream_analyzer.system.notify import Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping


def supervisor(environment: Mapping[str, str] = os.environ) -> Supervisor | None:
    """Return who wants to be told how things stand, if anybody does."""
    address, pid = environment.get("NOTIFY_SOCKET", ""), environment.get("WATCHDOG_PID", "")
    if not address.startswith(("/", "@")):
        return None
    limit_us = environment.get("WATCHDOG_USEC", "")
    watched = limit_us.isdecimal() and pid in ("", str(os.getpid()))
    return Supervisor(address, int(limit_us) / 1e6 if watched else 0.0)
