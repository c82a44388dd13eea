"""Ports of mido in this process, for no kernel is asked: a backend, `MIDO_BACKEND=tests.support.midi_port`."""

from __future__ import annotations

import time
from typing import Any

from mido.ports import BaseOutput

PORTS = ("Drum Machine 1", "Synth 2")
sent: list[tuple[float, str]] = []
broken: set[str] = set()


class Output(BaseOutput):  # type: ignore[misc]  # mido has no types
    """Keeps what is sent, and when."""

    def _open(self, *, virtual: bool = False, **_more: Any) -> None:
        if not virtual and self.name not in PORTS:
            msg = f"unknown port {self.name}"
            raise OSError(msg)

    def _send(self, message: Any) -> None:
        if self.name in broken:
            msg = "no such device"
            raise OSError(msg)
        sent.append((time.monotonic(), message.type))


def get_devices(**_more: Any) -> list[dict[str, Any]]:
    """List the ports."""
    return [{"name": name, "is_input": False, "is_output": True} for name in PORTS]
