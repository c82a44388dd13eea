"""Tell systemd how things stand, by datagrams on a socket of its own: `man sd_notify` has the words."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_UNTOLD_S = 3600.0  # where no watchdog waits there is nothing to tell


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Who started the program and wants to be told; it waits ``watchdog_s`` at most for a sign of life, 0 for ever."""

    address: str
    watchdog_s: float = 0.0

    def tell(self, *words: str) -> None:
        """Say something; a supervisor that does not listen is no reason to end."""
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.sendto("\n".join(words).encode(), address)
        except OSError as error:
            logger.debug("can't tell the supervisor: %s", error)

    async def watch(self, healthy: Callable[[], bool]) -> None:
        """Say again and again, twice as often as is waited for, that all is well, while it is."""
        while True:
            if self.watchdog_s and healthy():
                self.tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2.0 or _UNTOLD_S)
