"""One source for several inputs: it is captured once, and each input gets its own channels of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from stream_analyzer.errors import ConfigError
from stream_analyzer.sound.queue import BlockQueue, SourceChanged
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from stream_analyzer.sound.queue import Item
    from stream_analyzer.sound.source import AudioSource, SourceInfo

Channels = tuple[int, int]  # the first and the last, from 1


class SplitSource:
    """Captures a source for those who share it. State: what it says of itself, their queues, and the capture."""

    def __init__(self, source: AudioSource) -> None:
        """Share ``source``; nothing is opened yet."""
        self.source = source
        self.info: SourceInfo | None = None
        self._queues = _Queues()
        self._capture: asyncio.Task[None] | None = None

    def open(self) -> SourceInfo:
        """Open it, once for all."""
        self.info = self.info or self.source.open()
        return self.info

    async def deliver(self, queue: BlockQueue, channels: Channels | None) -> None:
        """Put its blocks into one more queue, until the source ends."""
        place = (queue, channels)
        self._queues.places.append(place)
        self._capture = self._capture or asyncio.create_task(self.source.deliver(self._queues), name="capture for all")
        try:
            await asyncio.shield(self._capture)
        finally:
            self._queues.places.remove(place)
            if not self._queues.places:
                self._capture.cancel()


class Share:
    """The channels of a source that one input hears."""

    def __init__(self, split: SplitSource, channels: Channels | None) -> None:
        """Hear ``channels`` of what ``split`` captures, or all."""
        self._split, self._channels = split, channels
        self.live = split.source.live

    def open(self) -> SourceInfo:
        """Open the source, if nobody has yet, and see that it has these channels; one that is waited for has none."""
        info = self._split.open()
        if self._channels and info.channels and self._channels[1] > info.channels:
            msg = f"channel {self._channels[1]} is asked for, but {info.name} has {info.channels}; choose one of them"
            raise ConfigError(msg)
        return _heard(info, self._channels)

    async def deliver(self, queue: BlockQueue) -> None:
        """Put these channels of what comes."""
        await self._split.deliver(queue, self._channels)


class _Queues(BlockQueue):
    """Stands for the queues of all who share a source, which knows one alone. State: those, each with its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[tuple[BlockQueue, Channels | None]] = []

    def put(self, item: Item) -> None:
        for queue, channels in self.places:
            queue.put(_of(item, channels))

    async def put_when_room(self, block: AudioBlock) -> None:
        for queue, channels in tuple(self.places):
            await queue.put_when_room(_cut(block, channels))


def _of(item: Item, channels: Channels | None) -> Item:
    if isinstance(item, AudioBlock):
        return _cut(item, channels)
    if isinstance(item, SourceChanged):
        return SourceChanged(_heard(item.info, channels))
    return item


def _cut(block: AudioBlock, channels: Channels | None) -> AudioBlock:
    """Return the block with these channels alone; where it has fewer, as a device that came back may, with its last."""
    if channels is None:
        return block
    width = block.samples.shape[1]
    first, last = min(channels[0], width), min(channels[1], width)
    return replace(block, samples=block.samples[:, first - 1 : last], spare=0)


def _heard(info: SourceInfo, channels: Channels | None) -> SourceInfo:
    return replace(info, channels=channels[1] - channels[0] + 1) if channels else info
