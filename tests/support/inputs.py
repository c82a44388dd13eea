"""Inputs that a test plugs in and out, through the stand-in for PortAudio (`portaudio/sounddevice.py`)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.support.real_process import ROOT

_STAND_IN = Path(__file__).parent / "portaudio"


@dataclass(frozen=True)
class Input:
    """An input: its name as this operating system writes it, its own rate, and the channels (from 1) with sound.

    It may have more ``channels`` than it ``opens``, and deliver another number of samples a second than it says.
    """

    name: str
    channels: int = 2
    rate_hz: int = 48_000
    sounding: tuple[int, ...] = (1, 2)
    amplitude: float = 0.3
    opens: int = 999
    delivers_hz: int = 0
    serial: str = ""
    default: bool = False
    host_api: str = "ALSA"


class Inputs:
    """The inputs that are plugged in. State: a file that the stand-in reads."""

    def __init__(self, folder: Path, *inputs: Input) -> None:
        """Begin with ``inputs``."""
        self._file = folder / "inputs.json"
        self.plug(*inputs)

    @property
    def env(self) -> dict[str, str]:
        """What a process needs to find the stand-in."""
        return {"PYTHONPATH": f"{_STAND_IN}{os.pathsep}{ROOT}", "STAND_IN_INPUTS": str(self._file)}

    def plug(self, *inputs: Input) -> None:
        """Let these be here, in this order, and no others."""
        self._write([asdict(one) for one in inputs])

    def take_sound_system_down(self) -> None:
        """Let PortAudio not even start, until something is plugged in."""
        self._write(None)

    def _write(self, rows: list[dict[str, Any]] | None) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(rows))
        new.replace(self._file)
