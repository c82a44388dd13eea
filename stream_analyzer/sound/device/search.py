"""Which of the inputs here is the one that was asked for: at the start, and again after a loss. Pure.

Operating systems count: ALSA writes the number of a card into its name, Windows that of a port. These numbers
change when a device is plugged in again, so names are compared without them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_analyzer.errors import AudioError, DeviceLost, DeviceNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNTED = re.compile(r"(?<=\(hw:)\d+(?=,)|(?<=\()\d+- ")  # "CODEC: - (hw:1,0)", "Microphone (2- USB Audio)"

_MONITOR = re.compile(
    r"^monitor of |\.monitor\b|loopback|blackhole|soundflower|stereo ?mix|what u hear|cable output|voicemeeter out",
    re.IGNORECASE,
)
_CONVERTERS = ("default", "sysdefault", "pulse", "pipewire", "jack", "samplerate", "speexrate", "upmix", "vdownmix")


@dataclass(frozen=True, slots=True)
class Device:
    """An input of this machine."""

    index: int
    name: str
    host_api: str
    channels: int
    rate_hz: int
    default: bool

    def __str__(self) -> str:
        """Return it as it is shown to people."""
        return f"{self.index} {self.name}"

    @property
    def identity(self) -> tuple[str, str]:
        """What is left of it when it is plugged in again; two devices of one make share it."""
        return _bare(self.name), self.host_api

    @property
    def monitors(self) -> bool:
        """Whether it gives what this machine plays, as far as its name tells."""
        return bool(_MONITOR.search(self.name))

    @property
    def converts(self) -> bool:
        """Whether it is one of ALSA's converters: they have as many channels as one asks for, and no more sound."""
        return self.host_api == "ALSA" and self.name.partition(":")[0].casefold() in _CONVERTERS


def find_device(wanted: str, devices: list[Device]) -> Device:
    """Choose by index, whole name or part of the name (any case); empty means the default.

    Raises
    ------
    DeviceNotFound
        Nothing matches; the message lists what there is.
    AudioError
        There is no input at all.
    """
    if matches := all_that_fit(wanted, devices):
        return matches[0]
    msg = f"no sound device {wanted!r}; inputs here: {_listed(devices)}"
    if devices:
        raise DeviceNotFound(msg)
    raise AudioError(msg if wanted else "no sound device with an input here")


def all_that_fit(wanted: str, devices: list[Device]) -> list[Device]:
    """Return the devices that `find_device` would choose from, best first."""
    if wanted.isdecimal():
        return [device for device in devices if device.index == int(wanted)]
    name = wanted.casefold()
    matches = [device for device in devices if _fits(wanted, device)]
    return sorted(matches, key=lambda d: (d.name.casefold() != name, name not in d.name.casefold(), not d.default))


def find_again(wanted: str, lost: Device, before: list[Device], now: list[Device]) -> Device:
    """Choose what ``lost`` has become among the devices that are here ``now``.

    What was there ``before`` beside it is another device, and never taken for it. The same name and host API come
    first; then, as ``wanted`` is a name or the default, the one new device that fits it.

    Raises
    ------
    DeviceLost
        It is not here, or several devices may be it and nothing tells which.
    """
    beside = Counter(device.identity for device in before if device != lost)
    same = [device for device in now if device.identity == lost.identity]
    if len(same) > beside[lost.identity]:
        return _which(lost, same, [device for device in before if device.identity == lost.identity])
    if same:
        msg = f"of {beside[lost.identity] + 1} devices named {lost.name} not all are here, and nothing tells which went"
        raise DeviceLost(msg)
    here = Counter(device.identity for device in now)
    fitting = [] if wanted.isdecimal() else [d for d in now if _fits(wanted, d) and (wanted or d.default)]
    new = [d for d in fitting if d.host_api == lost.host_api and here[d.identity] > beside[d.identity]]
    if len(new) == 1:
        return new[0]
    if new:
        raise _several(lost, new)
    msg = f"device {lost.name} is gone; inputs here: {_listed(now)}"
    raise DeviceLost(msg)


def _which(lost: Device, same: list[Device], before: list[Device]) -> Device:
    """Choose among devices of one identity: by the whole name, or by the place where as many are there as before."""
    named = [device for device in same if device.name == lost.name]
    if len(named) == 1:
        return named[0]
    if len(same) == len(before):
        return same[before.index(lost)]
    raise _several(lost, same)


def _several(lost: Device, devices: list[Device]) -> DeviceLost:
    return DeviceLost(
        f"device {lost.name} is gone, and {len(devices)} may be it: {_listed(devices)}; "
        "disconnect the others, or start again with --device INDEX"
    )


def _fits(wanted: str, device: Device) -> bool:
    """Tell whether ``wanted`` is part of a name: with its numbers, or without them if more than a number was given."""
    bare = _bare(wanted)
    return wanted.casefold() in device.name.casefold() or (bare[:1] != "(" and bare in _bare(device.name))


def _bare(name: str) -> str:
    return _COUNTED.sub("", name).casefold()


def _listed(devices: Iterable[Device]) -> str:
    return "; ".join(map(str, devices)) or "none"
