"""The PortAudio library: what inputs it knows, and streams that hand over what they capture.

The audio thread copies each block and hands it over; a stream closes in a thread of its own, because PortAudio calls on
a dead device may hang.
"""

from __future__ import annotations

import atexit
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.device.search import Device
from stream_analyzer.sound.source import LIVE_BLOCK_S
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Callable


def load() -> Any:  # noqa: ANN401 - sounddevice ships no types
    """Return the library; raise `AudioError` that names the package to install if it is missing."""
    try:
        import sounddevice  # noqa: PLC0415 - files must work where PortAudio is missing
    except OSError as error:
        msg = "the PortAudio library is missing; install it (Debian: apt install libportaudio2). Files work without it"
        raise AudioError(msg) from error
    # At the end of the process PortAudio would wait for ever for the thread of a stream that another thread closes.
    atexit.unregister(sounddevice._exit_handler)  # noqa: SLF001
    return sounddevice


def restart() -> None:
    """Start PortAudio anew: it freezes its device list when it starts, and what came back is seen only then."""
    sounddevice = load()
    with suppress(sounddevice.PortAudioError):  # it is not running: the start before failed
        sounddevice._terminate()  # noqa: SLF001 - the documented way, sounddevice offers no other
    try:
        sounddevice._initialize()  # noqa: SLF001
    except sounddevice.PortAudioError as error:
        msg = f"PortAudio does not start: {_reason(error)}; check the sound system"
        raise AudioError(msg) from error


class Library:
    """PortAudio as all who capture share it: one opens at a time, and nobody starts it anew under another's stream.

    State: who opens now, and the streams that are open.
    """

    def __init__(self) -> None:
        """Start with no stream."""
        self.opening = threading.Lock()
        self.streams: set[Stream] = set()

    def renew(self) -> None:
        """Start PortAudio anew, so that it sees what is plugged in, unless that would close another's stream.

        Then only what comes back in its old place can be opened, since the list stays as it was.
        """
        if not self.streams:
            restart()


def list_devices() -> list[Device]:
    """Return the inputs that PortAudio knows; raise `AudioError` if the library is missing."""
    sounddevice = load()
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


def check(device: Device, *, channels: int, rate_hz: int) -> None:
    """Raise `AudioError` if the device does not take this channel count and rate."""
    sounddevice = load()
    try:
        sounddevice.check_input_settings(device=device.index, channels=channels, samplerate=rate_hz, dtype="float32")
    except (sounddevice.PortAudioError, ValueError) as error:
        msg = (
            f"device {device.index} {device.name} does not deliver {channels} channels at {rate_hz} Hz "
            f"({_reason(error)}); it has {device.channels} channels, default rate {device.rate_hz} Hz"
        )
        raise AudioError(msg) from error


class Stream:
    """A stream of what a device captures. State: PortAudio's stream, and the thread that closes it."""

    def __init__(
        self,
        device: Device,
        *,
        channels: int,
        rate_hz: int,
        hand_over: Callable[[AudioBlock], object],
        over: threading.Event,
        library: Library,
    ) -> None:
        """Open the device; ``hand_over`` is called in the audio thread until ``over``. Raises `AudioError`."""
        sounddevice = load()
        self._device, self._error, self._over = device, sounddevice.PortAudioError, over
        self._closing = threading.Thread(target=self._close, name="close sound device", daemon=True)
        try:
            self._stream = sounddevice.InputStream(
                device=device.index,
                samplerate=rate_hz,
                channels=channels,
                dtype="float32",
                blocksize=round(rate_hz * LIVE_BLOCK_S),
                callback=_callback(hand_over, over, rate_hz=rate_hz),
            )
        except sounddevice.PortAudioError as error:
            raise _no_capture(device, error) from error
        self._library = library
        library.streams.add(self)

    def start(self) -> None:
        """Let the sound come; the stream is closed once it is over, not while this hangs. Raises `AudioError`."""
        try:
            self._stream.start()
        except self._error as error:
            self._over.set()
            raise _no_capture(self._device, error) from error
        finally:
            self._closing.start()

    def is_closed(self, *, within_s: float) -> bool:
        """Wait until the stream is closed, which its being over leads to; tell whether it is."""
        if self._closing.ident is None:  # it has not started yet
            return False
        self._closing.join(within_s)
        return not self._closing.is_alive()

    def _close(self) -> None:
        self._over.wait()
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)
        self._library.streams.discard(self)


def _no_capture(device: Device, error: Exception) -> AudioError:
    return AudioError(f"can't capture from {device.name}: {_reason(error)}; is it in use or not permitted?")


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


def _reason(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].removeprefix("Error ")
