"""The whole pipeline in this process, with heads and a source that a test writes; and a source and a head that beat."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from stream_analyzer import pipeline
from stream_analyzer.listening import Input
from stream_analyzer.serving.web.server import Serving
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.types import AudioBlock, Beat
from tests.support.fakes import drum_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from stream_analyzer.analysis.head import Head, Step
    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.sound.source import AudioSource

RATE_HZ = 44_100
BLOCK_S = 0.05
PERIOD_S = 0.5


class Metronome:
    """A source that plays four-four at 120 BPM as it would sound. State: when it began, on the loop's clock."""

    live = True
    begun_s = 0.0

    def open(self) -> SourceInfo:
        """Name it."""
        return SourceInfo("device", "metronome", RATE_HZ, 1)

    async def deliver(self, queue: BlockQueue) -> None:
        """Play it."""
        bar = drum_loop(4 * PERIOD_S, rate_hz=RATE_HZ)
        size, loop = round(BLOCK_S * RATE_HZ), asyncio.get_running_loop()
        self.begun_s, played = loop.time(), 0
        while True:
            block = bar[played % len(bar) :][:size]
            played += len(block)
            await asyncio.sleep(self.begun_s + played / RATE_HZ - loop.time())
            queue.put(AudioBlock(block, RATE_HZ))


class BeatingHead:
    """Knows the metronome: a beat each half second of the sample clock. State: none."""

    name: ClassVar[str] = "beat"
    event: ClassVar[type[Any]] = Beat
    measures: ClassVar[bool] = False
    features = ()
    model = None
    ready = True
    window_s, first_s, latency_s = 0.1, 0.1, 0.0

    def facts(self) -> dict[str, Any]:
        """Add nothing to hello."""
        return {}

    def hear(self, step: Step) -> list[Beat]:
        """Beat."""
        count = int(step.time_s / PERIOD_S + 1e-6)
        beat_s = count * PERIOD_S
        if step.time_s - beat_s > 0.1 - 1e-6:
            return []
        return [Beat(step.time_s, beat_s, count % 4 + 1, 4, 0.9, beat_s + PERIOD_S, 60.0 / PERIOD_S)]

    def reset(self) -> None:
        """Forget nothing."""


@asynccontextmanager
async def running(source: AudioSource, heads: Sequence[Head], **sinks: Any) -> AsyncIterator[str]:
    """Run the whole pipeline; give its address."""
    inputs = [Input("main", source, heads, **sinks)]
    async with running_all(inputs) as address:
        yield address


@asynccontextmanager
async def running_all(inputs: Sequence[Input], **more: Any) -> AsyncIterator[str]:
    """Run several inputs; give the address."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        pipeline.run(inputs, serving=Serving("127.0.0.1", 0), announce=address.set_result, write_line=None, **more)
    )
    try:
        yield (await address).removeprefix("http://").removesuffix("/")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
