"""The sound device as a source: capture it, and search for it again when it vanishes.

Blocks come from the audio thread to the event loop; everything else happens there or in helper threads.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stream_analyzer.errors import AudioError, DeviceLost
from stream_analyzer.sound.device import portaudio
from stream_analyzer.sound.device.arrivals import Arrivals
from stream_analyzer.sound.device.rate import RateCheck
from stream_analyzer.sound.device.search import Device, all_that_fit, find_again, find_device
from stream_analyzer.sound.queue import SourceChanged, SourceLost
from stream_analyzer.sound.source import LOST_AFTER_S, SourceInfo
from stream_analyzer.system.backoff import backoff_s
from stream_analyzer.system.threads import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import AudioBlock

logger = logging.getLogger(__name__)

_OPEN_LIMIT_S = 10.0
_STOOD_STILL_S = 0.5  # a lid was closed, or the process was stopped: what came meanwhile arrives only now
_END_LIMIT_S = 0.5
_CLOSE_LIMIT_S = 5.0
_DEFAULT_CHANNELS = 2
_MOST_CHANNELS = 64  # as many as the setting `channel` can name


@dataclass(frozen=True, slots=True)
class _Choice:
    """The device that is captured, the inputs beside it, how it is listened to, and how many channels are opened."""

    device: Device
    inputs: list[Device]
    info: SourceInfo
    opened: int


class DeviceSource:
    """A sound device; a lost one is searched for again as it was asked for.

    State: the device chosen last, what was told of it, the stream, and until when sound was heard.
    """

    live = True

    def __init__(
        self,
        wanted: str = "",
        *,
        rate_hz: int | None,
        channels: int | None,
        listen_to: int | None,
        patient: bool,
        library: portaudio.Library | None = None,
    ) -> None:
        """Capture ``wanted`` at its own rate and up to two channels, or as asked; ``listen_to`` must be among them.

        A ``patient`` source is also waited for when it can't be had at the start. Those who capture beside it have the
        same ``library``.
        """
        self._library = library or portaudio.Library()
        self._wanted, self._rate_hz = wanted, rate_hz
        self._channels, self._listen_to = channels, listen_to
        self._patient = patient
        self._choice: _Choice | None = None
        self._just_chosen = False
        self._arrivals = Arrivals()  # of this capture, or the one before
        self._delivered = 0
        self._opening = threading.Lock()
        self._stream: portaudio.Stream | None = None

    def open(self) -> SourceInfo:
        """Choose the device and check how it can be read; of one that is waited for, say what was asked."""
        portaudio.load()
        try:
            info = self._choose().info
        except AudioError:
            if not self._patient:
                raise
            info = SourceInfo("device", self._name, self._rate_hz or 0, self._channels or self._listen_to or 0)
        else:
            self._just_chosen = True
        self._told = SourceChanged(info, self._listen_to)
        return info

    def listen_to(self, channel: int) -> None:
        """Listen to another channel from the next block on, and after a loss; ignore one that is not captured."""
        choice = self._choice
        if choice and channel <= choice.opened:
            self._listen_to = channel
            info = replace(choice.info, channels=max(choice.info.channels, channel))
            self._choice = replace(choice, info=info)

    async def deliver(self, queue: BlockQueue) -> None:
        """Put what the device captures; report and repair its loss, for ever."""
        attempt = 0
        must_open, told = not self._patient, ""
        while True:
            try:
                await self._capture(queue)
            except AudioError as error:
                if must_open and not isinstance(error, DeviceLost):
                    raise
                if self._delivered:
                    attempt, told = 0, ""
                # PortAudio, which sees new devices at its start alone, is not started anew under another's stream.
                where = (
                    " in its old place, while another device is captured"
                    if self._library.streams - {self._stream}
                    else ""
                )
                queue.put(SourceLost(f"{error}; looking for it{where}"))
                if str(error) != told:
                    logger.warning("%s; looking for it%s", error, where)
                told = str(error)
            must_open = False
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    @property
    def _name(self) -> str:
        return self._choice.device.name if self._choice else self._wanted or "default input"

    def _choose(self) -> _Choice:
        """Choose among the devices that are here now, and read rate and channels anew unless they were asked for."""
        inputs, before = portaudio.list_devices(), self._choice
        if before:
            device = find_again(self._wanted, before.device, before.inputs, inputs)
        else:
            device = find_device(self._wanted, inputs)
            others = [d for d in all_that_fit(self._wanted, inputs)[1:] if d.host_api == device.host_api]
            if self._wanted and others:
                logger.warning("listening to %s; %r fits %s too", device, self._wanted, " and ".join(map(str, others)))
        channels = self._channels or max(min(device.channels, _DEFAULT_CHANNELS), self._listen_to or 1)
        rate_hz = self._rate_hz or device.rate_hz
        opened = self._openable(device, channels, rate_hz)
        self._choice = _Choice(device, inputs, SourceInfo("device", device.name, rate_hz, channels), opened)
        return self._choice

    def _openable(self, device: Device, channels: int, rate_hz: int) -> int:
        """Return how many channels to capture: all, to see where sound is, unless their number was asked for."""
        if self._channels is None and channels < device.channels and not device.converts:
            opened = min(device.channels, _MOST_CHANNELS)
            with suppress(AudioError):  # then it has them and does not give them
                portaudio.check(device, channels=opened, rate_hz=rate_hz)
                return opened
        portaudio.check(device, channels=channels, rate_hz=rate_hz)
        return channels

    async def _capture(self, queue: BlockQueue) -> None:
        """Capture until the device is lost, which raises `DeviceLost`."""
        loop = asyncio.get_running_loop()
        came, over = asyncio.Event(), threading.Event()
        self._delivered = 0

        def arrive(block: AudioBlock, now_s: float) -> None:
            if over.is_set():
                return
            block = self._placed(block, now_s=now_s)
            self._tell_change(queue)
            spare = block.samples.shape[1] - self._told.info.channels
            queue.put(replace(block, rate_hz=self._check.rate_hz, spare=spare))
            came.set()

        def hand_over(block: AudioBlock) -> None:
            loop.call_soon_threadsafe(arrive, block, loop.time())

        try:
            async with asyncio.timeout(_OPEN_LIMIT_S):
                await in_daemon_thread(lambda: self._start(hand_over, over), name="open sound device")
            while True:
                came.clear()
                await _wait_for_sound(came)
        except TimeoutError as error:
            msg = f"device {self._name} delivers no sound"
            raise DeviceLost(msg) from error
        except asyncio.CancelledError:
            over.set()
            if self._stream:
                self._stream.is_closed(within_s=_END_LIMIT_S)
            raise
        finally:
            over.set()

    def _placed(self, block: AudioBlock, *, now_s: float) -> AudioBlock:
        """Count a block of this capture with what is missing before it; for the first, since the capture before."""
        samples = len(block.samples) + block.lost
        if not self._delivered:
            self._check, self._arrivals = RateCheck(block.rate_hz), Arrivals(before=self._arrivals)
        elif self._check.count(samples, now_s=now_s):
            logger.warning("%s says %d samples a second, but does not deliver so many", self._name, block.rate_hz)
        missing_s = self._arrivals.count(samples / self._check.rate_hz, now_s=now_s)
        self._delivered += 1
        return replace(block, lost=block.lost + round(missing_s * self._check.rate_hz))

    def _tell_change(self, queue: BlockQueue) -> None:
        """Tell what is listened to from here on, where that is not what was announced last."""
        if not self._choice:
            return
        info = replace(self._choice.info, rate_hz=self._check.rate_hz)
        now = SourceChanged(info, self._listen_to)
        if now != self._told:
            self._told = now
            queue.put(now)
            count = f"{info.channels} channel{'s' * (info.channels > 1)}"
            heard = f"channel {now.channel} of " if now.channel else ""
            logger.warning("listening to %s%s, %s at %d Hz", heard, info.name, count, info.rate_hz)

    def _start(self, hand_over: Callable[[AudioBlock], object], over: threading.Event) -> None:
        """Open the device, one attempt at a time: PortAudio is not made for more. Runs in a helper thread."""
        if not self._opening.acquire(blocking=False):
            msg = f"device {self._name} hangs"
            raise DeviceLost(msg)
        try:
            if not self._library.opening.acquire(timeout=_CLOSE_LIMIT_S):
                msg = f"device {self._name} waits for another that hangs"
                raise DeviceLost(msg)
            try:
                self._open(hand_over, over)
            finally:
                self._library.opening.release()
        finally:
            self._opening.release()

    def _open(self, hand_over: Callable[[AudioBlock], object], over: threading.Event) -> None:
        """Open the device, searched for anew unless it has just been chosen, and close it when ``over``."""
        if self._stream and not self._stream.is_closed(within_s=_CLOSE_LIMIT_S):
            msg = f"device {self._name} does not close"  # a new start would close it again, and corrupt memory
            raise DeviceLost(msg)
        choice = self._choice
        if not choice or not self._just_chosen:
            self._library.renew()
            choice = self._choose()
        self._just_chosen = False
        self._stream = portaudio.Stream(
            choice.device,
            channels=choice.opened,
            rate_hz=choice.info.rate_hz,
            hand_over=hand_over,
            over=over,
            library=self._library,
        )
        self._stream.start()


async def _wait_for_sound(came: asyncio.Event) -> None:
    """Wait until sound came; raise `TimeoutError` after `LOST_AFTER_S`, of which this process was awake the last."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + LOST_AFTER_S
        try:
            async with asyncio.timeout_at(due_s):
                await came.wait()
                return
        except TimeoutError:
            if loop.time() < due_s + _STOOD_STILL_S:
                raise
