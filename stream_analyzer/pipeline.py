"""How sound becomes a stream, on one screen: source -> queue -> analyzer -> hub -> page, sinks and standard output.

audio thread or file      event loop            one worker thread           event loop
source.deliver  ----->   BlockQueue  ----->   Analyzer.feed(block)  ---->   Hub.publish  ---> mailboxes
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stream_analyzer.analysis.analyzer import Analyzer, Models
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.protocol.history import History
from stream_analyzer.protocol.summary import Summary
from stream_analyzer.serving.hub import Complete, Hub
from stream_analyzer.serving.monitor import Monitor
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.serving.web.server import Answer, WebServer
from stream_analyzer.sound.queue import BlockQueue, SourceLost
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.system.threads import in_daemon_thread
from stream_analyzer.types import BrokerState, Event, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.serving.mqtt.sink import MqttSink
    from stream_analyzer.serving.osc import OscSink
    from stream_analyzer.serving.web.fanout import Counters
    from stream_analyzer.serving.web.server import Serving
    from stream_analyzer.sound.files import AudioSource
    from stream_analyzer.types import TempoRange

logger = logging.getLogger(__name__)

_FAREWELL_S = 1.0
_WARN_EVERY_S = 10.0
_REPEAT_AFTER_S = 1.0
_MEAN_WAIT_IN_STEP_S = 0.5 / STEPS_PER_SECOND


async def run(
    source: AudioSource,
    models: Models,
    *,
    channel: int | None,
    tempo_range: TempoRange | None,
    serving: Serving,
    announce: Callable[[str], None],
    write_line: Callable[[str], None] | None,
    mqtt: MqttSink | None = None,
    osc: OscSink | None = None,
) -> None:
    """Analyse ``source`` and serve what comes of it until the source ends or the task is cancelled.

    ``announce`` is told the page's URL; ``write_line`` gets every JSON message, in order and complete,
    one a line; ``mqtt`` and ``osc`` get the newest of each kind.
    """
    info = source.open()
    if channel is not None and channel > info.channels:
        msg = f"channel = {channel}, but {info.name} has {info.channels}; choose one of them with --channel, or mix"
        raise ConfigError(msg)
    session, history = secrets.token_hex(3), History()
    encoder = Encoder(session)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    hub = Hub(encoder.hello(source=info, models=models, tempo_range=tempo_range, started_at=started_at))
    queue, fanout = BlockQueue(), Fanout(encoder, max_clients=serving.max_clients)
    broker = mqtt.broker_state if mqtt else lambda: "none"
    publisher = _Publisher(queue, hub, encoder, history, fanout.counters, broker=broker)
    monitor = Monitor(queue, fanout.counters, publisher, broker=broker)
    async with AsyncExitStack() as stack:
        stack.enter_context(hub.subscribe(fanout))
        stack.enter_context(hub.subscribe(monitor))
        answers = {
            "/timeline": lambda: Answer(history.to_json(session), "application/json"),
            "/metrics": monitor.metrics,
            "/health": monitor.health,
            "/ready": monitor.ready,
        }
        server = WebServer(fanout, resource_folder("web"), serving=serving, answers=answers)
        announce(await stack.enter_async_context(server.listen()))
        sinks = await stack.enter_async_context(asyncio.TaskGroup())
        if write_line:
            box = stack.enter_context(hub.subscribe(Complete()))
            sinks.create_task(_write_lines(box, write_line), name="write lines")
        following = [sinks.create_task(sink.follow(hub), name=type(sink).__name__) for sink in (mqtt, osc) if sink]
        delivery = asyncio.create_task(_deliver(source, queue), name="deliver sound")
        try:
            analyzer = Analyzer(monitor.timed(models), channel=channel, tempo_range=tempo_range)
            await _analyse(queue, hub, analyzer, publisher, source_waits=not source.live)
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


class _Publisher:
    """Puts events on the wire and into what is kept of the session.

    State: the last status, latencies since it, and when (monotonic) it last had something to do.
    """

    def __init__(
        self,
        queue: BlockQueue,
        hub: Hub,
        encoder: Encoder,
        history: History,
        counters: Counters,
        *,
        broker: Callable[[], BrokerState],
    ) -> None:
        """Publish what comes of the sound in ``queue``; ``counters`` tell of the clients, ``broker`` of the broker."""
        self._queue, self._hub, self._encoder, self._history = queue, hub, encoder, history
        self._counters, self._broker = counters, broker
        self._summary = Summary()
        self.status: Status | None = None
        self.turned_s = time.monotonic()
        self._latencies_s: list[float] = []
        self._warned_s, self._warned_of_s = -math.inf, 0.0

    def publish(self, events: list[Event]) -> None:
        """Publish what one item of the queue led to."""
        self.turned_s = time.monotonic()
        if events:
            self._latencies_s.append(time.monotonic() - self._queue.arrived_s + _MEAN_WAIT_IN_STEP_S)
        for event in events:
            self._summary.add(event)
            self._history.add(event)
            self._hub.publish(self._encoder.encode(self._seen(event) if isinstance(event, Status) else event))

    def repeat_status(self) -> None:
        """Say how things stand although no sound came: whoever listens must not take it for a dead line."""
        self.turned_s = time.monotonic()
        if self.status:
            self._hub.publish(self._encoder.encode(self._seen(self.status)))

    def end(self) -> None:
        """Publish what the whole amounts to."""
        self._hub.publish(self._encoder.summary(self._summary.to_dict(), time_s=self._summary.duration_s))

    def _seen(self, status: Status) -> Status:
        latency_s = sum(self._latencies_s) / len(self._latencies_s) if self._latencies_s else 0.0
        self._latencies_s.clear()
        self._warn(status.lost_s)
        self.status = replace(
            status,
            lag_s=self._queue.waiting_s,
            latency_s=latency_s,
            clients=self._counters.clients,
            missed=self._counters.missed,
            stalled=self._counters.stalled,
            broker=self._broker(),
        )
        return self.status

    def _warn(self, lost_s: float) -> None:
        """Log lost sound, once in a while: a night with a bad cable must not fill the disk."""
        now_s = time.monotonic()
        if lost_s > self._warned_of_s and now_s - self._warned_s >= _WARN_EVERY_S:
            logger.warning("%.2f s of sound were lost so far; %.1f s wait", lost_s, self._queue.waiting_s)
            self._warned_s, self._warned_of_s = now_s, lost_s


async def _analyse(
    queue: BlockQueue, hub: Hub, analyzer: Analyzer, publisher: _Publisher, *, source_waits: bool
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
