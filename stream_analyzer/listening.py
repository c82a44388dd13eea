"""One input, from its queue of sound to its hub. Several run beside each other and share nothing but the machine."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.greeting import greeting
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.publisher import Publisher
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.monitor import Watch
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.sets.recorder import Recorder
from stream_analyzer.sets.writing import Opening
from stream_analyzer.sound.phone import PhoneSource
from stream_analyzer.sound.queue import BlockQueue, SourceChanged, SourceLost, TitleChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.protocol.kinds import Mark
    from stream_analyzer.serving.clocks.link import LinkSink
    from stream_analyzer.serving.clocks.midi import MidiSink
    from stream_analyzer.serving.mqtt.sink import MqttSink
    from stream_analyzer.serving.osc import OscSink
    from stream_analyzer.serving.web.microphone import Hearing
    from stream_analyzer.sets.log import SetLog
    from stream_analyzer.sound.queue import Item
    from stream_analyzer.sound.source import AudioSource, SourceInfo

logger = logging.getLogger(__name__)

_REPEAT_AFTER_S = 1.0


@dataclass(slots=True)
class Input:
    """What is listened to: its name, its source, and the heads that judge it and nothing else, until others do.

    ``channel`` is the one that is heard, from 1, None the mix; ``mqtt`` and ``osc`` get the newest of each kind,
    ``clocks`` the beats.
    """

    name: str
    source: AudioSource
    heads: Sequence[Head]
    channel: int | None = None
    mqtt: MqttSink | None = None
    osc: OscSink | None = None
    clocks: Sequence[MidiSink | LinkSink] = ()


class Listening:
    """Turns one input's sound into its stream. State: its session with all that is kept of it, and its analyzer."""

    def __init__(self, of: Input, *, names: Sequence[str], log: SetLog | None = None) -> None:
        """Open the source of one of the inputs ``names``; raise if it can't be had, or lacks the channel.

        Its set goes into ``log``, if there is one.
        """
        self.name, self._input = of.name, of
        info = _open(of, several=len(names) > 1)
        session = secrets.token_hex(3)
        self.recorder = Recorder(log, Opening(of.name, info.kind, info.name, session, time.time()))
        self._encoder = Encoder(session, demo=info.kind == "demo", input_name=of.name if len(names) > 1 else "")
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._greet = partial(greeting, started_at=started_at, name=of.name, names=names)
        self._info = info
        self.hello = self._greet(info, of.heads)
        self.hub = Hub(self._encoder.encode(self.hello))
        self._queue, self.fanout = BlockQueue(), Fanout(self._encoder)
        broker = of.mqtt.broker_state if of.mqtt else lambda: "none"
        refusal = of.mqtt.broker_refusal if of.mqtt else str
        counters = self.fanout.counters
        self._publisher = Publisher(
            self._queue, self.hub, self._encoder, self.recorder, counters, broker=broker, refusal=refusal
        )
        self.watch = Watch(of.name, self._queue, counters, self._publisher, broker=broker, types=self.hello.types)

    @property
    def heads(self) -> Sequence[Head]:
        """Who judges, from the next step on."""
        return self._input.heads

    @property
    def sinks(self) -> list[MqttSink | OscSink | MidiSink | LinkSink]:
        """What follows the stream beside pages and programs."""
        return [sink for sink in (self._input.mqtt, self._input.osc, *self._input.clocks) if sink]

    @property
    def listen_to(self) -> Callable[[int], None] | None:
        """How to hear another channel: of a device alone, which may have channels that nobody hears."""
        return getattr(self._input.source, "listen_to", None)

    def mark(self, text: str) -> Mark:
        """Mark the present moment."""
        return self._publisher.mark(text)

    @property
    def hearing(self) -> Hearing | None:
        """What hears a phone, if this input does."""
        return self._input.source if isinstance(self._input.source, PhoneSource) else None

    async def run(self, worker: Executor) -> None:
        """Analyse what the source delivers, in ``worker``, until it ends; raise the error that ended it, if one did."""
        delivery = asyncio.create_task(self._deliver(), name=f"deliver sound of {self.name}")
        try:
            await self.recorder.recall()
            await self._analyse(Analyzer(self.heads, channel=self._input.channel), worker)
        finally:
            delivery.cancel()
        await delivery  # its error, if any, now that all that came before it has been said

    async def stay_until(self, over: asyncio.Event) -> None:
        """Say once a second how things stand, now that no more sound comes: others may go on for long."""
        while not over.is_set():
            try:
                async with asyncio.timeout(_REPEAT_AFTER_S):
                    await over.wait()
            except TimeoutError:
                self._publisher.repeat_status()

    async def _deliver(self) -> None:
        try:
            await self._input.source.deliver(self._queue)
        finally:
            self._queue.close()

    def switch(self, heads: Sequence[Head]) -> None:
        """Let other heads judge from the next step on; nothing keeps those before."""
        self._input.heads = heads

    async def _analyse(self, analyzer: Analyzer, worker: Executor) -> None:
        heads = self.heads
        while True:
            try:
                async with asyncio.timeout(_REPEAT_AFTER_S):
                    item = await self._queue.get()
            except TimeoutError:
                self._publisher.repeat_status()
                continue
            if item is None:
                break
            if heads is not self.heads:  # here nothing is being analysed: the step before is out
                heads = self.heads
                analyzer.switch(heads)
                self._say_hello()
            await self._take(item, analyzer, worker)
        self._publisher.publish(analyzer.end())
        self._publisher.end()

    async def _take(self, item: Item, analyzer: Analyzer, worker: Executor) -> None:
        """Feed sound to the analyzer, in the one thread that has it meanwhile, and publish what comes of it."""
        if isinstance(item, SourceChanged):
            self._info = item.info
            self._say_hello()
            analyzer.listen_to(item.channel)
        elif isinstance(item, TitleChanged):
            self._publisher.entitle(item.title)
        elif isinstance(item, SourceLost):
            self._publisher.publish(analyzer.device_lost(item.detail))
        elif not analyzer.completes_step(item):  # another thread would cost more than this takes
            analyzer.feed(item)
        else:
            loop = asyncio.get_running_loop()
            self._publisher.publish(await loop.run_in_executor(worker, analyzer.feed, item))
            if not self._input.source.live:
                await self.hub.room()

    def _say_hello(self) -> None:
        """Greet anew: the source has changed, or the models."""
        self.hello = self._greet(self._info, self.heads)
        self.hub.greet(self._encoder.encode(self.hello))


def _open(of: Input, *, several: bool) -> SourceInfo:
    which = f"input {of.name}: " if several else ""
    try:
        info = of.source.open()
    except (AudioError, ConfigError) as error:
        error.args = (f"{which}{error}",)
        raise
    if of.channel is not None and of.channel > info.channels:
        has = f"channel = {of.channel}, but {info.name} has {info.channels}"
        msg = f"{which}{has}; choose one of them with --channel, or mix"
        raise ConfigError(msg)
    return info
