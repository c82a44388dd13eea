"""A phone's microphone as a source: its page sends what it captures, and a phone that falls silent is a lost device.

The frames come by `take`, in the event loop; `docs/protocol.md` has them to the byte.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.errors import ProtocolError
from stream_analyzer.sound.queue import SourceChanged, SourceLost
from stream_analyzer.sound.source import LOST_AFTER_S, SourceInfo
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from stream_analyzer.sound.queue import BlockQueue

logger = logging.getLogger(__name__)

HEADER = struct.Struct("<BBHIQ")  # version, kind, channels, rate, samples since the phone began to listen
VERSION, KIND = 1, 2
MOST_CHANNELS, RATES_HZ = 2, (8_000, 192_000)
_SAMPLE_BYTES = 2
_FULL_SCALE = 32_768.0
_MOST_LOST_S = 86_400.0  # a phone that counts on may be wrong
_WAITING = "no phone sends sound; open /mic on one"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a phone sent: a block, and the count of samples before it."""

    block: AudioBlock
    at: int


def decode(data: bytes | str) -> Frame:
    """Return what a message of a phone holds; raise `ProtocolError` that says what is wrong."""
    if isinstance(data, str) or len(data) < HEADER.size:
        msg = f"sound comes in binary messages with a header of {HEADER.size} bytes"
        raise ProtocolError(msg)
    version, kind, channels, rate_hz, at = HEADER.unpack_from(data)
    body = len(data) - HEADER.size
    if (version, kind) != (VERSION, KIND):
        msg = f"version {version}, kind {kind}: sound is version {VERSION}, kind {KIND}"
        raise ProtocolError(msg)
    if not 1 <= channels <= MOST_CHANNELS or not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        msg = f"{channels} channels at {rate_hz} Hz: up to {MOST_CHANNELS}, at {RATES_HZ[0]} to {RATES_HZ[1]} Hz"
        raise ProtocolError(msg)
    if not body or body % (_SAMPLE_BYTES * channels):
        msg = f"{body} bytes of sound are no whole samples of {channels} channels"
        raise ProtocolError(msg)
    samples = np.frombuffer(data, "<i2", offset=HEADER.size).astype(np.float32) * np.float32(1.0 / _FULL_SCALE)
    return Frame(AudioBlock(samples.reshape(-1, channels), rate_hz), at)


class PhoneSource:
    """Hears one phone at a time. State: whether one is there, where its count is, and when sound last came."""

    live = True

    def __init__(self) -> None:
        """Wait for a phone."""
        self._queue: BlockQueue | None = None
        self._told = SourceInfo("phone", "phone", 0, 1)
        self._taken = False
        self._came = asyncio.Event()
        self._next: int | None = None
        self._last_sound_s = 0.0

    def open(self) -> SourceInfo:
        """Say what is waited for."""
        return self._told

    async def deliver(self, queue: BlockQueue) -> None:
        """Tell, for ever, when no phone sends sound."""
        self._queue = queue
        queue.put(SourceLost(f"{_WAITING}; looking for it"))
        while True:
            await self._came.wait()
            logger.info("a phone sends sound")
            try:
                while True:
                    self._came.clear()
                    async with asyncio.timeout(LOST_AFTER_S):
                        await self._came.wait()
            except TimeoutError:
                queue.put(SourceLost(f"{_WAITING}; looking for it"))
                logger.warning("the phone sends no sound; looking for it")

    def begin(self) -> bool:
        """Let a phone in, if none is there."""
        if self._taken:
            return False
        self._taken, self._next = True, None
        return True

    def end(self) -> None:
        """Let the phone go."""
        self._taken = False

    def take(self, data: bytes | str) -> None:
        """Hear what the phone sent; raise `ProtocolError` if that is no sound."""
        frame = decode(data)
        queue, block = self._queue, frame.block
        if queue is None:  # the analysis has not begun
            return
        channels, now_s = block.samples.shape[1], asyncio.get_running_loop().time()
        info = SourceInfo("phone", "phone", block.rate_hz, channels)
        if info != self._told:
            self._told = info
            queue.put(SourceChanged(info))
        if self._next is not None:
            missing = frame.at - self._next
        else:  # the clock went on while no phone was there
            gap_s = now_s - block.duration_s - self._last_sound_s if self._last_sound_s else 0.0
            missing = round(gap_s * block.rate_hz)
        if missing < 0 and self._next is not None:
            msg = f"sample {frame.at} was counted before; {self._next} follows"
            raise ProtocolError(msg)
        lost = min(max(0, missing), round(_MOST_LOST_S * block.rate_hz))
        queue.put(replace(block, lost=lost))
        self._next, self._last_sound_s = frame.at + len(block.samples), now_s
        self._came.set()
