"""Sound on standard input: raw interleaved PCM, or what FFmpeg's libraries decode if that is installed."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.sound import media
from stream_analyzer.sound.containers import container_of
from stream_analyzer.sound.queue import SourceLost
from stream_analyzer.sound.source import LIVE_BLOCK_S, LOST_AFTER_S, SourceInfo
from stream_analyzer.system.threads import daemon_thread
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import F32

_PCM_DTYPES: dict[str, tuple[str, float]] = {"s16le": ("<i2", 1.0 / 32768.0), "f32le": ("<f4", 1.0)}


class PcmSource:
    """Sound on a byte stream (standard input). The pipe holds the writer back; nothing is dropped.

    It is raw PCM unless it begins as a container does. Either comes out at the rate and channel count that are set.
    """

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
        blocks, any_sound = self._blocks(), False
        with daemon_thread("standard input") as do:
            while (samples := await self._next(do(lambda: next(blocks, None)), queue)) is not None:
                any_sound = any_sound or len(samples) > 0
                await queue.put_when_room(AudioBlock(samples, self._rate_hz))
        if not any_sound:
            msg = "standard input ended before any sound came; see what the program that writes it says"
            raise AudioError(msg)

    async def _next(self, reading: asyncio.Future[F32 | None], queue: BlockQueue) -> F32 | None:
        """Wait for the next block, None at the end; tell whoever listens when none comes for a while."""
        done, _ = await asyncio.wait({reading}, timeout=LOST_AFTER_S)
        if not done:
            queue.put(SourceLost("standard input sends nothing; waiting for it"))
        return await reading

    def _blocks(self) -> Iterator[F32]:
        """Yield blocks, float32 [n, channels], as they come; waits for them."""
        dtype, scale = _PCM_DTYPES[self._format]
        frame_bytes = np.dtype(dtype).itemsize * self._channels
        wanted = max(1, int(self._rate_hz * LIVE_BLOCK_S)) * frame_bytes
        data = self._read(wanted)
        if container := container_of(data):
            yield from self._decoded(container, data)
            return
        while data:
            whole = len(data) - len(data) % frame_bytes
            samples = np.frombuffer(data[:whole], dtype).astype(np.float32)
            if scale != 1.0:  # not for floats: any bits may come, and arithmetic on some of them warns
                samples *= np.float32(scale)
            yield samples.reshape(-1, self._channels)
            more = self._read(wanted)
            data = data[whole:] + more if more else b""

    def _decoded(self, container: str, begin: bytes) -> Iterator[F32]:
        """Yield what a container holds."""
        if not media.is_installed():
            msg = f"standard input is {container}, not raw PCM: let ffmpeg write -f {self._format} -ar {self._rate_hz} "
            raise ConfigError(msg + f"-ac {self._channels} instead; or else: {media.MISSING}")
        try:
            stream = _Rest(begin, self._read)
            block = max(1, int(self._rate_hz * LIVE_BLOCK_S))
            yield from media.decode(stream, rate_hz=self._rate_hz, channels=self._channels, block=block, live=True)
        except AudioError as error:
            msg = f"standard input, which begins as {container} does: {error}; start the writer again"
            raise AudioError(msg) from error

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


class _Rest:
    """A stream whose first bytes were read before. State: those of them that are left."""

    def __init__(self, begin: bytes, read: Callable[[int], bytes]) -> None:
        self._begin, self._stream_read = begin, read

    def read(self, size: int) -> bytes:
        """Read ``size`` bytes, less at the end."""
        data, self._begin = self._begin[:size], self._begin[size:]
        return data or self._stream_read(size)
