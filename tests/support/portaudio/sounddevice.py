"""Stands in for sounddevice, on a machine whose inputs a test changes: the rows of the JSON file $STAND_IN_INPUTS.

As PortAudio does, it freezes the list when it starts, and closes all streams when it ends. A stream delivers while its
very row is in the file. A device takes its own rate and no more channels than it has, as ALSA's hw: and WASAPI's shared
mode do.
"""

from __future__ import annotations

import json
import os
import threading
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

HOST_APIS = ("ALSA", "MME", "Windows WASAPI")
_TONE_HZ = 220.0
_BEAT_S = 0.5


class PortAudioError(Exception):
    """What PortAudio finds wrong."""


def _inputs() -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] | None = json.loads(Path(os.environ["STAND_IN_INPUTS"]).read_text())
    return rows


_frozen: list[dict[str, Any]] = []
_library = SimpleNamespace(runs=False)
_open: set[InputStream] = set()


def _initialize() -> None:
    rows = _inputs()
    if rows is None:
        msg = "Error initializing PortAudio: Unanticipated host error [PaErrorCode -9999]"
        raise PortAudioError(msg)
    _frozen[:], _library.runs = rows, True


def _terminate() -> None:
    if not _library.runs:
        msg = "Error terminating PortAudio: PortAudio not initialized [PaErrorCode -10000]"
        raise PortAudioError(msg)
    for stream in tuple(_open):  # as PortAudio does
        stream.abort(ignore_errors=True)
    _frozen.clear()
    _library.runs = False


def _exit_handler() -> None:
    pass


class _Default:
    @property
    def device(self) -> tuple[int, int]:
        return next((i for i, row in enumerate(_frozen) if row["default"]), -1), -1


default = _Default()


def query_devices() -> list[dict[str, Any]]:
    """List the inputs."""
    return [
        {
            "index": index,
            "name": row["name"],
            "hostapi": HOST_APIS.index(row["host_api"]),
            "max_input_channels": row["channels"],
            "default_samplerate": float(row["rate_hz"]),
        }
        for index, row in enumerate(_frozen)
    ]


def query_hostapis() -> list[dict[str, str]]:
    """List the host APIs."""
    return [{"name": name} for name in HOST_APIS]


def check_input_settings(*, device: int, channels: int, samplerate: int, dtype: str) -> None:
    """Refuse what the device does not do."""
    row = _frozen[device]
    if dtype != "float32" or channels > min(row["channels"], row["opens"]):
        msg = "Error opening InputStream: Invalid number of channels [PaErrorCode -9998]"
        raise PortAudioError(msg)
    if samplerate != row["rate_hz"]:
        msg = "Error opening InputStream: Invalid sample rate [PaErrorCode -9997]"
        raise PortAudioError(msg)


class InputStream:
    """Beats on the row's sounding channels, exact zeros on the others, in real time."""

    def __init__(
        self, *, device: int, samplerate: int, channels: int, dtype: str, blocksize: int, callback: Callable[..., None]
    ) -> None:
        """Open a device."""
        check_input_settings(device=device, channels=channels, samplerate=samplerate, dtype=dtype)
        self._row = _frozen[device]
        self._rate_hz, self._channels, self._size = samplerate, channels, blocksize
        self._callback = callback
        self._over = threading.Event()
        _open.add(self)

    def start(self) -> None:
        """Let the sound come."""
        threading.Thread(target=self._run, daemon=True).start()

    def abort(self, *, ignore_errors: bool) -> None:  # noqa: ARG002 - as PortAudio's
        """Stop the sound."""
        self._over.set()
        _open.discard(self)

    close = abort

    def _run(self) -> None:
        flags, stamp = SimpleNamespace(input_overflow=False), SimpleNamespace(inputBufferAdcTime=0.0)
        period_s = self._size / (self._row["delivers_hz"] or self._rate_hz)
        begun_s = time.monotonic()
        for block in count():
            if self._over.wait(max(0.0, begun_s + (block + 1) * period_s - time.monotonic())):
                return
            rows = [row for row in _inputs() or [] if row["serial"] == self._row["serial"]]
            if not any(row | {"sounding": []} == self._row | {"sounding": []} for row in rows):
                continue
            samples = np.zeros((self._size, self._channels), np.float32)
            at_s = (block * self._size + np.arange(self._size)) / self._rate_hz
            beat = np.sin(2.0 * np.pi * _TONE_HZ * at_s) * np.exp(-8.0 * (at_s % _BEAT_S))
            for number in rows[0]["sounding"]:
                if number <= self._channels:
                    samples[:, number - 1] = self._row["amplitude"] * beat
            self._callback(samples, self._size, stamp, flags)


_initialize()
