"""Servers that send the same stream: ours, `websockets.broadcast`, aiohttp. Run by benchmarks.fanout, one a process.

Prints its port, waits for a line with seconds, publishes one tempo, one genre and one level 10 times a second, and
prints one JSON object: when each batch was published, and what it cost.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil
from websockets.asyncio.server import ServerConnection, broadcast, serve

from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.serving.web.server import Serving, WebServer
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.types import Alternative, Genre, Level, Score, Tempo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from stream_analyzer.serving.web.fanout import Counters

    Served = tuple[int, Callable[[list[Message]], None], Counters | None]

HZ = 10
MESSAGES_A_BATCH = 3
MANY = 10_000
LABELS = ("Electronic", "Hip-Hop", "International", "Experimental", "Rock")


def batch(encoder: Encoder, time_s: float) -> list[Message]:
    """Return one message of each kind, of the size they have in a night."""
    bpm = 127.94 + time_s % 1.0
    alternatives = tuple(Alternative(bpm * ratio, 0.31) for ratio in (0.5, 1.5, 2.0, 2.0 / 3.0))
    scores = tuple(Score(label, 0.61 / (1 + i)) for i, label in enumerate(LABELS))
    events = (
        Tempo(time_s, bpm, 0.83, "locked", 0.0, alternatives),
        Genre(time_s, LABELS[0], 0.61, "music", 0.0, 0.98, scores),
        Level(time_s, -18.2 - time_s % 1.0, -3.1, clipping=False),
    )
    return [encoder.encode(event) for event in events]


@asynccontextmanager
async def ours() -> AsyncIterator[Served]:
    """Serve as `stream-analyzer run` does."""
    fanout = Fanout(Encoder("abcdef"))

    def publish(messages: list[Message]) -> None:
        for message in messages:
            fanout.put(message)

    serving = Serving("127.0.0.1", 0, max_clients=MANY, max_per_address=MANY)
    async with WebServer({"main": fanout}, resource_folder("web"), serving=serving, answers={}).listen() as url:
        yield int(url.rsplit(":", maxsplit=1)[1].strip("/")), publish, fanout.counters


@asynccontextmanager
async def websockets_broadcast() -> AsyncIterator[Served]:
    """Serve by the function of websockets that is made for this; each client has its own compressor."""
    connections: set[ServerConnection] = set()

    async def handler(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()
        connections.discard(connection)

    def publish(messages: list[Message]) -> None:
        for message in messages:
            broadcast(connections, message.payload)

    async with serve(handler, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], publish, None


@asynccontextmanager
async def aiohttp() -> AsyncIterator[Served]:
    """Serve by aiohttp, a task a client."""
    from aiohttp import web  # noqa: PLC0415 - of the extra `bench`

    queues: set[asyncio.Queue[str]] = set()

    async def handler(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        queue = asyncio.Queue[str]()
        queues.add(queue)
        while True:
            await response.send_str(await queue.get())

    def publish(messages: list[Message]) -> None:
        for message in messages:
            for queue in queues:
                queue.put_nowait(str(message.payload))

    app = web.Application()
    app.router.add_get("/ws", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1], publish, None
    await runner.cleanup()


SERVERS = {"ours": ours, "websockets.broadcast": websockets_broadcast, "aiohttp": aiohttp}


async def run(name: str) -> None:
    """Serve, publish for as long a line on standard input says, and print what it cost."""
    encoder = Encoder("abcdef")
    async with SERVERS[name]() as (port, publish, counters):
        print(port, flush=True)
        seconds = float(await asyncio.to_thread(sys.stdin.readline))
        process = psutil.Process()
        cpu_s, begun = sum(process.cpu_times()[:2]), time.monotonic()
        published: list[float] = []
        while len(published) < seconds * HZ:
            await asyncio.sleep(begun + len(published) / HZ - time.monotonic())
            published.append(time.monotonic())
            publish(batch(encoder, published[-1] - begun))
        await asyncio.sleep(1.0 / HZ)
        cpu = (sum(process.cpu_times()[:2]) - cpu_s) / (time.monotonic() - begun)
        result: dict[str, Any] = {"published": published, "cpu": cpu, "resident_mb": process.memory_info().rss / 1e6}
        if counters:
            result |= {"missed": counters.missed, "stalled": counters.stalled}
        print(json.dumps(result), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asyncio.run(run(sys.argv[1]))
