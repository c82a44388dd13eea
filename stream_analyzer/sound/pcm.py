"""Raw interleaved PCM on standard input."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.queue import SourceLost
from stream_analyzer.sound.source import LIVE_BLOCK_S, LOST_AFTER_S, SourceInfo
from stream_analyzer.system.threads import in_daemon_thread
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from stream_analyzer.sound.queue import BlockQueue

_PCM_DTYPES: dict[str, tuple[str, float]] = {"s16le": ("<i2", 1.0 / 32768.0), "f32le": ("<f4", 1.0)}


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
