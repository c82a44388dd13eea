"""How sound becomes a stream, on one screen: source -> queue -> analyzer -> hub -> page, sinks and standard output.

audio thread or file      event loop            one worker thread           event loop
source.deliver  ----->   BlockQueue  ----->   Analyzer.feed(block)  ---->   Hub.publish  ---> mailboxes
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.errors import ConfigError
from stream_analyzer.greeting import greeting, source_of
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.publisher import Publisher
from stream_analyzer.serving.hub import Complete, Hub
from stream_analyzer.serving.monitor import Monitor
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.serving.web.server import Answer, WebServer
from stream_analyzer.sets.recorder import Recorder
from stream_analyzer.sets.writing import Opening
from stream_analyzer.sound.queue import BlockQueue, SourceChanged, SourceLost, TitleChanged
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.system.threads import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.serving.mqtt.sink import MqttSink
    from stream_analyzer.serving.osc import OscSink
    from stream_analyzer.serving.web.server import Serving
    from stream_analyzer.sets.log import SetLog
    from stream_analyzer.sound.source import AudioSource, SourceInfo

logger = logging.getLogger(__name__)

_FAREWELL_S = 1.0
_REPEAT_AFTER_S = 1.0


async def run(
    source: AudioSource,
    heads: Sequence[Head],
    *,
    channel: int | None,
    serving: Serving,
    announce: Callable[[str], None],
    write_line: Callable[[str], None] | None,
    mqtt: MqttSink | None = None,
    osc: OscSink | None = None,
    log: SetLog | None = None,
) -> None:
    """Analyse ``source`` and serve what comes of it until the source ends or the task is cancelled.

    ``announce`` is told the page's URL; ``write_line`` gets every JSON message, in order and complete,
    one a line; ``mqtt`` and ``osc`` get the newest of each kind; ``log`` keeps the set.
    """
    info = source.open()
    if channel is not None and channel > info.channels:
        msg = f"channel = {channel}, but {info.name} has {info.channels}; choose one of them with --channel, or mix"
        raise ConfigError(msg)
    session, input_name = secrets.token_hex(3), "main"
    recorder = Recorder(log, Opening(input_name, info.kind, info.name, session, time.time()))
    encoder = Encoder(session, demo=info.kind == "demo")
    hello = greeting(info, heads, started_at=datetime.now(UTC).isoformat(timespec="seconds"))
    hub = Hub(encoder.encode(hello))
    queue, fanout = BlockQueue(), Fanout(encoder, max_clients=serving.max_clients)
    broker = mqtt.broker_state if mqtt else lambda: "none"
    refusal = mqtt.broker_refusal if mqtt else str
    publisher = Publisher(queue, hub, encoder, recorder, fanout.counters, broker=broker, refusal=refusal)
    monitor = Monitor(queue, fanout.counters, publisher, broker=broker, log=recorder, types=hello.types)

    def greet(changed: SourceInfo) -> None:
        hub.greet(encoder.encode(replace(hello, source=source_of(changed))))

    async with AsyncExitStack() as stack:
        if log:
            stack.enter_context(log)
        stack.enter_context(hub.subscribe(fanout))
        stack.enter_context(hub.subscribe(monitor))
        answers = {
            "/timeline": lambda: Answer(recorder.timeline(), "application/json"),
            "/metrics": monitor.metrics,
            "/health": monitor.health,
            "/ready": monitor.ready,
        }
        listen_to = getattr(source, "listen_to", None)  # of a device alone: it may have channels that nobody hears
        server = WebServer(
            fanout, resource_folder("web"), serving=serving, answers=answers, types=hello.types, listen_to=listen_to
        )
        announce(await stack.enter_async_context(server.listen()))
        sinks = await stack.enter_async_context(asyncio.TaskGroup())
        if write_line:
            box = stack.enter_context(hub.subscribe(Complete()))
            sinks.create_task(_write_lines(box, write_line), name="write lines")
        following = [sinks.create_task(sink.follow(hub), name=type(sink).__name__) for sink in (mqtt, osc) if sink]
        delivery = asyncio.create_task(_deliver(source, queue), name="deliver sound")
        try:
            await recorder.recall()
            monitor.watch(heads)
            analyzer = Analyzer(heads, channel=channel)
            await _analyse(queue, hub, analyzer, publisher, greet=greet, source_waits=not source.live)
        finally:
            delivery.cancel()
            hub.close()
        if following:  # a broker that is there gets the rest and a farewell; for one that is not, nobody waits long
            await asyncio.wait(following, timeout=_FAREWELL_S)
        for task in following:
            task.cancel()
    await delivery  # its error, if any, now that all that came before it has been sent


async def _deliver(source: AudioSource, queue: BlockQueue) -> None:
    try:
        await source.deliver(queue)
    finally:
        queue.close()


async def _analyse(
    queue: BlockQueue,
    hub: Hub,
    analyzer: Analyzer,
    publisher: Publisher,
    *,
    greet: Callable[[SourceInfo], None],
    source_waits: bool,
) -> None:
    """Feed what waits to the analyzer, in the one thread that owns it, and publish what comes of it."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="analysis") as worker:
        while True:
            try:
                async with asyncio.timeout(_REPEAT_AFTER_S):
                    item = await queue.get()
            except TimeoutError:
                publisher.repeat_status()
                continue
            if item is None:
                break
            if isinstance(item, SourceChanged):
                greet(item.info)
                analyzer.listen_to(item.channel)
                continue
            if isinstance(item, TitleChanged):
                publisher.entitle(item.title)
                continue
            if isinstance(item, SourceLost):
                publisher.publish(analyzer.device_lost(item.detail))
                continue
            publisher.publish(await loop.run_in_executor(worker, analyzer.feed, item))
            if source_waits:
                await hub.room()
        publisher.publish(analyzer.end())
    publisher.end()


async def _write_lines(box: Complete, write_line: Callable[[str], None]) -> None:
    """Write every JSON message; a reader that stalls holds up a thread of its own alone."""
    while messages := await box.take():
        lines = [message.payload for message in messages if isinstance(message.payload, str)]
        await in_daemon_thread(lambda lines=lines: write_line("\n".join(lines)))  # type: ignore[misc]
