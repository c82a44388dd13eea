"""Sources that can wait: a sound file, the bundled demo, raw PCM on standard input. Devices are in `capture`."""

from __future__ import annotations

import asyncio
import io
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.queue import SourceLost
from stream_analyzer.system.stderr import native_stderr_closed
from stream_analyzer.system.threads import in_daemon_thread
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import F32

_BLOCK_S = 0.1
_PCM_DTYPES: dict[str, tuple[str, float]] = {"s16le": ("<i2", 1.0 / 32768.0), "f32le": ("<f4", 1.0)}
_RATES_HZ = (4_000, 768_000)
_SHORTEST_S = 0.1
LOST_AFTER_S = 2.0
LIVE_BLOCK_S = 0.05  # half a step: two blocks fill one, and handing one over costs more than what is in it


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is; it goes into `hello`."""

    kind: Literal["device", "file", "demo", "stdin"]
    name: str
    rate_hz: int
    channels: int


class AudioSource(Protocol):
    """Delivers sound into a queue until it ends or the task is cancelled.

    ``live`` sources can't wait: what the analysis does not take in time is dropped.
    """

    live: bool

    def open(self) -> SourceInfo:
        """Check that sound can be had, before anything starts; raise `AudioError` if not."""

    async def deliver(self, queue: BlockQueue) -> None:
        """Put blocks into the queue until the source ends; raise `AudioError` if it breaks."""


class FileSource:
    """A sound file, at ``speed`` times real time or (0) as fast as possible; ``repeat`` plays it for ever."""

    live = False

    def __init__(self, path: Path, *, speed: float = 1.0, repeat: bool = False, kind: Literal["file", "demo"]) -> None:
        """Play ``path``; nothing is opened yet."""
        self._path, self._speed, self._repeat = path, speed, repeat
        self._kind: Literal["file", "demo"] = kind

    def open(self) -> SourceInfo:
        """Open the file once, to see that it holds sound."""
        with open_sound_file(self._path) as file:
            return SourceInfo(self._kind, self._path.name, file.samplerate, file.channels)

    async def deliver(self, queue: BlockQueue) -> None:
        """Put the file's blocks at their time."""
        loop = asyncio.get_running_loop()
        start, played_s = loop.time(), 0.0
        while True:
            for block in read_blocks(self._path):
                played_s += block.duration_s
                if self._speed > 0.0:
                    await asyncio.sleep(start + played_s / self._speed - loop.time())
                await queue.put_when_room(block)
            if not self._repeat:
                return


class PcmSource:
    """Raw interleaved PCM on a byte stream (standard input). The pipe holds the writer back; nothing is dropped."""

    live = False

    def __init__(self, *, rate_hz: int, channels: int, sample_format: str, stream: Any = None) -> None:  # noqa: ANN401
        """Read from ``stream`` (default: standard input)."""
        self._rate_hz, self._channels, self._format = rate_hz, channels, sample_format
        self._stream = stream

    def open(self) -> SourceInfo:
        """Refuse a terminal: nobody types PCM."""
        if self._stream is None:
            if sys.stdin is None:
                msg = "--input - reads raw PCM, but standard input is closed; pipe sound into it, as from ffmpeg"
                raise AudioError(msg)
            # Unbuffered: Python aborts at its end if a thread still waits inside a buffered standard input.
            self._stream = io.FileIO(sys.stdin.fileno(), closefd=False)
        if self._stream.isatty():
            msg = "--input - reads raw PCM, but standard input is a terminal; pipe sound into it, as from ffmpeg"
            raise AudioError(msg)
        return SourceInfo("stdin", "standard input", self._rate_hz, self._channels)

    async def deliver(self, queue: BlockQueue) -> None:
        """Put what arrives, until the stream ends."""
        dtype, scale = _PCM_DTYPES[self._format]
        frame_bytes = np.dtype(dtype).itemsize * self._channels
        wanted = max(1, int(self._rate_hz * LIVE_BLOCK_S)) * frame_bytes
        data, any_sound = b"", False
        while more := await self._next(wanted, queue):
            data += more
            whole = len(data) - len(data) % frame_bytes
            samples = np.frombuffer(data[:whole], dtype).astype(np.float32)
            if scale != 1.0:  # not for floats: any bits may come, and arithmetic on some of them warns
                samples *= np.float32(scale)
            data, any_sound = data[whole:], any_sound or whole > 0
            await queue.put_when_room(AudioBlock(samples.reshape(-1, self._channels), self._rate_hz))
        if not any_sound:
            msg = "standard input ended before any sound came; see what the program that writes it says"
            raise AudioError(msg)

    async def _next(self, wanted: int, queue: BlockQueue) -> bytes:
        """Wait for more bytes, empty at the end; tell whoever listens when none come for a while."""
        reading = asyncio.create_task(in_daemon_thread(lambda: self._read(wanted), name="standard input"))
        done, _ = await asyncio.wait({reading}, timeout=LOST_AFTER_S)
        if not done:
            queue.put(SourceLost("standard input sends nothing; waiting for it"))
        return await reading

    def _read(self, wanted: int) -> bytes:
        """Read ``wanted`` bytes, less at the end; a pipe gives what it has, often a few milliseconds."""
        data = b""
        try:
            while len(data) < wanted and (more := self._stream.read(wanted - len(data))):
                data += more
        except OSError as error:
            msg = f"standard input failed: {error.strerror}; start the writer again"
            raise AudioError(msg) from error
        return data


def open_sound_file(path: Path) -> Any:  # noqa: ANN401 - soundfile ships no types
    """Open a file with libsndfile; raise `AudioError` with the reason in one line if it holds no sound."""
    import soundfile  # noqa: PLC0415 - costs 60 ms that a live device need not pay

    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        hint = "pipe a stream in: ffmpeg -i URL -f s16le - | stream-analyzer run --input -"
        msg = f"{path}: {_reason(error)}; {hint if ':/' in str(path) else 'check the name'}"
        raise AudioError(msg) from error
    if not stat.S_ISREG(status.st_mode):
        what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no file (raw PCM can be piped in: --input -)"
        msg = f"{path}: {what}; name a sound file"
        raise AudioError(msg)
    if not status.st_size:
        msg = f"{path}: empty file; is it complete?"
        raise AudioError(msg)
    try:
        with native_stderr_closed():
            file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        msg = f"{path}: {_reason(error)}; is it a sound file? Convert it with: ffmpeg -i {path.name} sound.flac"
        raise AudioError(msg) from error
    problem = ""
    if not file.frames:
        problem = "holds no samples; is the file complete?"
    elif file.frames < _SHORTEST_S * file.samplerate:
        problem = f"lasts {file.frames / file.samplerate:.4f} s, too short to hear anything in; give a longer file"
    elif not _RATES_HZ[0] <= file.samplerate <= _RATES_HZ[1]:
        problem = f"sample rate {file.samplerate} Hz is outside {_RATES_HZ[0]}..{_RATES_HZ[1]} Hz; resample it"
    if problem:
        file.close()
        msg = f"{path}: {problem}"
        raise AudioError(msg)
    return file


def read_blocks(path: Path, *, block_s: float = _BLOCK_S) -> Iterator[AudioBlock]:
    """Yield the blocks of a sound file; raise `AudioError` where it is empty or breaks off."""
    import soundfile  # noqa: PLC0415

    with open_sound_file(path) as file:
        size = max(1, int(file.samplerate * block_s))
        while True:
            try:
                with native_stderr_closed():
                    samples: F32 = file.read(size, dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, OSError) as error:
                msg = f"{path}: broken after {file.tell() / file.samplerate:.1f} s: {_reason(error)}; convert it again"
                raise AudioError(msg) from error
            if not len(samples):
                return
            yield AudioBlock(samples, file.samplerate)


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    if text.startswith("File does not exist or is not a regular file"):  # libsndfile's word for .mp3 without MPEG audio
        return "no MPEG audio in it"
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
