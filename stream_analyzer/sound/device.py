"""Sound devices through PortAudio: list, find, capture, and come back when one vanishes. The only user of sounddevice.

The audio thread copies each block and hands it to the event loop; everything else happens there or in helper threads,
because PortAudio calls on a dead device may hang.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.errors import AudioError, DeviceLost, DeviceNotFound
from stream_analyzer.sound.queue import SourceLost
from stream_analyzer.sound.source import LIVE_BLOCK_S, LOST_AFTER_S, SourceInfo
from stream_analyzer.system.backoff import backoff_s
from stream_analyzer.system.threads import in_daemon_thread
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.sound.queue import BlockQueue

logger = logging.getLogger(__name__)

_OPEN_LIMIT_S = 10.0
_END_LIMIT_S = 0.5
_CLOSE_LIMIT_S = 5.0
_DEFAULT_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class Device:
    """An input of this machine."""

    index: int
    name: str
    host_api: str
    channels: int
    rate_hz: int
    default: bool


def list_devices() -> list[Device]:
    """Return the inputs that PortAudio knows; raise `AudioError` if the library is missing."""
    sounddevice = _portaudio()
    try:
        found, apis, default = sounddevice.query_devices(), sounddevice.query_hostapis(), sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        msg = f"PortAudio can't list devices: {_reason(error)}; check the sound system"
        raise AudioError(msg) from error
    return [
        Device(
            index=device["index"],
            name=device["name"],
            host_api=apis[device["hostapi"]]["name"],
            channels=device["max_input_channels"],
            rate_hz=round(device["default_samplerate"]),
            default=device["index"] == default,
        )
        for device in found
        if device["max_input_channels"] > 0
    ]


def find_device(wanted: str, devices: list[Device]) -> Device:
    """Choose by index, whole name or part of the name (any case); empty means the default.

    Raises
    ------
    DeviceNotFound
        Nothing matches; the message lists what there is.
    """
    if not wanted:
        matches = sorted(devices, key=lambda d: not d.default)
    elif wanted.isdecimal():
        matches = [d for d in devices if d.index == int(wanted)]
    else:
        part = wanted.casefold()
        matches = [d for d in devices if part in d.name.casefold()]
        matches.sort(key=lambda d: (d.name.casefold() != part, not d.default))
    if matches:
        return matches[0]
    names = "; ".join(f"{d.index} {d.name}" for d in devices) or "none"
    msg = f"no sound device {wanted!r}; inputs here: {names}" if wanted else "no sound device with an input here"
    raise DeviceNotFound(msg)


class DeviceSource:
    """A sound device; lost ones are found again by name. State: the open stream and when sound last came."""

    live = True

    def __init__(self, wanted: str = "", *, rate_hz: int | None, channels: int | None, listen_to: int | None) -> None:
        """Capture ``wanted`` at its own rate and up to two channels, or as asked; ``listen_to`` must be among them."""
        self._wanted, self._rate_hz = wanted, rate_hz
        self._channels, self._listen_to = channels, listen_to
        self._last_sound_s = 0.0
        self._delivered = 0
        self._opening = threading.Lock()
        self._closing: threading.Thread | None = None

    def open(self) -> SourceInfo:
        """Find the device and check that it takes the rate and channel count."""
        device = find_device(self._wanted, list_devices())
        channels = self._channels or max(min(device.channels, _DEFAULT_CHANNELS), self._listen_to or 1)
        rate_hz = self._rate_hz or device.rate_hz
        sounddevice = _portaudio()
        try:
            sounddevice.check_input_settings(
                device=device.index, channels=channels, samplerate=rate_hz, dtype="float32"
            )
        except (sounddevice.PortAudioError, ValueError) as error:
            msg = (
                f"device {device.index} {device.name} does not deliver {channels} channels at {rate_hz} Hz "
                f"({_reason(error)}); it has {device.channels} channels, default rate {device.rate_hz} Hz"
            )
            raise AudioError(msg) from error
        self._info = SourceInfo("device", device.name, rate_hz, channels)
        self._index = device.index
        return self._info

    async def deliver(self, queue: BlockQueue) -> None:
        """Put what the device captures; report and repair its loss, for ever."""
        attempt = 0
        first, told = True, ""
        while True:
            try:
                await self._capture(queue)
            except AudioError as error:
                if first and not isinstance(error, DeviceLost):
                    raise
                if self._delivered:
                    attempt, told = 0, ""
                queue.put(SourceLost(f"{error}; looking for it again"))
                if str(error) != told:
                    logger.warning("%s; looking for it again", error)
                told = str(error)
            first = False
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    async def _capture(self, queue: BlockQueue) -> None:
        """Capture until the device is lost, which raises `DeviceLost`."""
        loop = asyncio.get_running_loop()
        came, over = asyncio.Event(), threading.Event()
        gap_from_s = self._last_sound_s
        self._delivered = 0

        def arrive(block: AudioBlock) -> None:
            if over.is_set():
                return
            if gap_from_s and not self._delivered:
                missing_s = max(0.0, loop.time() - block.duration_s - gap_from_s)
                block = AudioBlock(block.samples, block.rate_hz, lost=round(missing_s * block.rate_hz))
            self._delivered += 1
            self._last_sound_s = loop.time()
            queue.put(block)
            came.set()

        try:
            async with asyncio.timeout(_OPEN_LIMIT_S):
                await in_daemon_thread(lambda: self._start(loop, arrive, over), name="open sound device")
            while True:
                came.clear()
                async with asyncio.timeout(LOST_AFTER_S):
                    await came.wait()
        except TimeoutError as error:
            msg = f"device {self._info.name} delivers no sound"
            raise DeviceLost(msg) from error
        except asyncio.CancelledError:
            over.set()
            if self._closing:
                self._closing.join(_END_LIMIT_S)
            raise
        finally:
            over.set()

    def _start(
        self, loop: asyncio.AbstractEventLoop, arrive: Callable[[AudioBlock], None], over: threading.Event
    ) -> None:
        """Open the device, one attempt at a time: PortAudio is not made for more. Runs in a helper thread."""
        if not self._opening.acquire(blocking=False):
            msg = f"device {self._info.name} hangs"
            raise DeviceLost(msg)
        try:
            self._open(loop, arrive, over)
        finally:
            self._opening.release()

    def _open(
        self, loop: asyncio.AbstractEventLoop, arrive: Callable[[AudioBlock], None], over: threading.Event
    ) -> None:
        """Open the device, by name after a loss, and close it when ``over``."""
        sounddevice = _portaudio()
        if self._closing:
            self._closing.join(_CLOSE_LIMIT_S)
            if self._closing.is_alive():  # a new start would close its stream a second time, and corrupt memory
                msg = f"device {self._info.name} does not close"
                raise DeviceLost(msg)
            # PortAudio freezes its device list when it starts: what came back is seen only after a new start.
            sounddevice._terminate()  # noqa: SLF001 - the documented way, sounddevice offers no other
            sounddevice._initialize()  # noqa: SLF001
            self._index = find_device(self._info.name, list_devices()).index

        def hand_over(block: AudioBlock) -> None:
            loop.call_soon_threadsafe(arrive, block)

        try:
            stream = sounddevice.InputStream(
                device=self._index,
                samplerate=self._info.rate_hz,
                channels=self._info.channels,
                dtype="float32",
                blocksize=round(self._info.rate_hz * LIVE_BLOCK_S),
                callback=_callback(hand_over, over, rate_hz=self._info.rate_hz),
            )
            try:
                stream.start()
            finally:
                closing = threading.Thread(target=_close, args=(stream, over), name="close sound device", daemon=True)
                closing.start()
                self._closing = closing
        except sounddevice.PortAudioError as error:
            msg = f"can't capture from {self._info.name}: {_reason(error)}; is it in use or not permitted?"
            raise AudioError(msg) from error


def _callback(
    hand_over: Callable[[AudioBlock], object], over: threading.Event, *, rate_hz: int
) -> Callable[[Any, int, Any, Any], None]:
    """Return what PortAudio calls in its audio thread: copy a block, count what is missing before it, hand it over."""
    expected_s = 0.0

    def callback(samples: Any, count: int, time: Any, flags: Any) -> None:  # noqa: ANN401
        nonlocal expected_s
        if over.is_set():
            return
        begun_s = time.inputBufferAdcTime
        # Where the driver tells the time of capture, that says how much is missing. It is held against the block before
        # alone: over a night the clocks of sound card and computer drift apart.
        late_s = begun_s - expected_s if expected_s and begun_s else 0.0
        lost = max(1, round(late_s * rate_hz)) if flags.input_overflow else 0
        expected_s = begun_s + count / rate_hz if begun_s else 0.0
        hand_over(AudioBlock(samples.copy(), rate_hz, lost=lost))

    return callback


def _close(stream: Any, over: threading.Event) -> None:  # noqa: ANN401
    over.wait()
    stream.abort(ignore_errors=True)
    stream.close(ignore_errors=True)


def _portaudio() -> Any:  # noqa: ANN401 - sounddevice ships no types
    try:
        import sounddevice  # noqa: PLC0415 - files must work where PortAudio is missing
    except OSError as error:
        msg = "the PortAudio library is missing; install it (Debian: apt install libportaudio2). Files work without it"
        raise AudioError(msg) from error
    # At the end of the process PortAudio would wait for ever for the thread of a stream that another thread closes.
    atexit.unregister(sounddevice._exit_handler)  # noqa: SLF001
    return sounddevice


def _reason(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].removeprefix("Error ")
