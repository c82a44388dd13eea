"""How sound becomes a stream, on one screen: source -> queue -> analyzer -> hub -> page and standard output.

audio thread or file      event loop            one worker thread           event loop
source.deliver  ----->   BlockQueue  ----->   Analyzer.feed(block)  ---->   Hub.publish  ---> mailboxes
"""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stream_analyzer.analyzer import Analyzer, Models
from stream_analyzer.block_queue import BlockQueue, SourceLost
from stream_analyzer.errors import ConfigError
from stream_analyzer.hub import Complete, Hub
from stream_analyzer.messages import Encoder
from stream_analyzer.resources import resource_folder
from stream_analyzer.summary import Summary
from stream_analyzer.threads import in_daemon_thread
from stream_analyzer.types import Event, Status
from stream_analyzer.web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.hub import Mailbox
    from stream_analyzer.sources import AudioSource

_FAREWELL_S = 1.0


async def run(
    source: AudioSource,
    models: Models,
    *,
    channel: int | None,
    host: str,
    port: int,
    announce: Callable[[str], None],
    write_line: Callable[[str], None] | None,
) -> None:
    """Analyse ``source`` and serve what comes of it until the source ends or the task is cancelled.

    ``announce`` is told the page's URL; ``write_line`` gets every JSON message, in order and complete,
    one a line.
    """
    info = source.open()
    if channel is not None and channel > info.channels:
        msg = f"channel = {channel}, but {info.name} has {info.channels}; choose one of them with --channel, or mix"
        raise ConfigError(msg)
    encoder = Encoder(session=secrets.token_hex(3))
    hub = Hub(encoder.hello(source=info, models=models, started_at=datetime.now(UTC).isoformat(timespec="seconds")))
    queue = BlockQueue()
    async with AsyncExitStack() as stack:
        announce(await stack.enter_async_context(WebServer(hub, resource_folder("web")).listen(host, port)))
        sinks = await stack.enter_async_context(asyncio.TaskGroup())
        if write_line:
            box = stack.enter_context(hub.subscribe(Complete()))
            sinks.create_task(_write_lines(box, write_line), name="write lines")
        delivery = asyncio.create_task(_deliver(source, queue), name="deliver sound")
        try:
            await _analyse(queue, hub, encoder, Analyzer(models, channel=channel), source_waits=not source.live)
            await delivery
        finally:
            delivery.cancel()
            hub.close()
        await hub.farewell(limit_s=_FAREWELL_S)


async def _deliver(source: AudioSource, queue: BlockQueue) -> None:
    try:
        await source.deliver(queue)
    finally:
        queue.close()


async def _analyse(queue: BlockQueue, hub: Hub, encoder: Encoder, analyzer: Analyzer, *, source_waits: bool) -> None:
    """Feed what waits to the analyzer, in the one thread that owns it, and publish what comes of it."""
    loop, summary = asyncio.get_running_loop(), Summary()

    def publish(events: list[Event]) -> None:
        for event in events:
            summary.add(event)
            seen = replace(event, lag_s=queue.waiting_s, clients=hub.viewers) if isinstance(event, Status) else event
            hub.publish(encoder.encode(seen))

    with ThreadPoolExecutor(1, thread_name_prefix="analysis") as worker:
        while (item := await queue.get()) is not None:
            if isinstance(item, SourceLost):
                publish(analyzer.device_lost(item.detail))
                continue
            publish(await loop.run_in_executor(worker, analyzer.feed, item))
            if source_waits:
                await hub.room()
        publish(analyzer.end())
    hub.publish(encoder.summary(summary.to_dict(), time_s=summary.duration_s))


async def _write_lines(box: Mailbox, write_line: Callable[[str], None]) -> None:
    """Write every JSON message; a reader that stalls holds up a thread of its own alone."""
    while messages := await box.take():
        lines = [message.payload for message in messages if isinstance(message.payload, str)]
        await in_daemon_thread(lambda lines=lines: write_line("\n".join(lines)))  # type: ignore[misc]
