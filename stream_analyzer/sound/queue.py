"""The bounded queue between a source and the analysis. Live sources drop the oldest sound, others wait for room."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from stream_analyzer.sound.source import SourceInfo


@dataclass(frozen=True, slots=True)
class SourceLost:
    """The source stopped delivering; ``detail`` says why and what happens now."""

    detail: str


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """What comes from here on is of another device, rate or channel count, or another ``channel`` of it is heard."""

    info: SourceInfo
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class TitleChanged:
    """What comes from here on has another title, as the station says; empty if it says none."""

    title: str


Item = AudioBlock | SourceLost | SourceChanged | TitleChanged


class BlockQueue:
    """Audio blocks and notices in order, at most ``limit_s`` of sound. Lives in the event loop; not thread-safe.

    Dropped sound is counted in the ``lost`` of the block after it, so the sample clock stays true.
    """

    def __init__(self, *, limit_s: float = 4.0) -> None:
        """Hold at most ``limit_s`` seconds of sound."""
        self._limit_s = limit_s
        self._items: deque[Item] = deque()
        self._arrivals_s: deque[float] = deque()
        self._closed = False
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self.waiting_s = 0.0
        self.taken, self.dropped = 0, 0  # blocks
        self.arrived_s = time.monotonic()  # when the item that `get` gave last was put

    def put(self, item: Item) -> None:
        """Take an item at once; the oldest sound is dropped if there is too much."""
        self._items.append(item)
        self._arrivals_s.append(time.monotonic())
        if isinstance(item, AudioBlock):
            self.taken += 1
            self.waiting_s += item.duration_s
        if self.waiting_s > self._limit_s:
            # Down to half: one long gap and then whole sound can be analysed again; many short ones never could.
            while self.waiting_s > self._limit_s / 2 and self._drop_oldest():
                pass
        if self.waiting_s > self._limit_s / 2:
            self._drained.clear()
        self._filled.set()

    async def put_when_room(self, block: AudioBlock) -> None:
        """Wait until less than half the limit waits, then take the block; nothing is dropped."""
        await self._drained.wait()
        self.put(block)

    async def get(self) -> Item | None:
        """Wait for the next item; None when the source has ended."""
        while not self._items:
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        item = self._items.popleft()
        self.arrived_s = self._arrivals_s.popleft()
        if isinstance(item, AudioBlock):
            self.waiting_s = self.waiting_s - item.duration_s if self._items else 0.0
        if self.waiting_s <= self._limit_s / 2:
            self._drained.set()
        return item

    def close(self) -> None:
        """Let no more come."""
        self._closed = True
        self._filled.set()

    def _drop_oldest(self) -> bool:
        """Drop the oldest block if another can carry its length as lost; return whether one was dropped."""
        blocks = [i for i, item in enumerate(self._items) if isinstance(item, AudioBlock)][:2]
        if len(blocks) < 2:  # noqa: PLR2004 - one to drop, one to carry the count
            return False
        first, second = (self._items[i] for i in blocks)
        if not (isinstance(first, AudioBlock) and isinstance(second, AudioBlock)):  # pragma: no cover - for the type
            return False
        lost = round((len(first.samples) + first.lost) * second.rate_hz / first.rate_hz)
        self._items[blocks[1]] = replace(second, lost=second.lost + lost)
        del self._items[blocks[0]]
        del self._arrivals_s[blocks[0]]
        self.waiting_s -= first.duration_s
        self.dropped += 1
        return True
