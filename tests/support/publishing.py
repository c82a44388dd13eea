"""An analyzer played by hand for the MQTT tests: a hub that says what a test wants, and the sink that follows it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.mqtt.sink import MqttSink
from stream_analyzer.system.address import MqttAddress
from stream_analyzer.types import Beat, Genre, Key, Level, Loudness, Score, Status, Tempo
from tests.support.mosquitto import Subscriber, says, text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GENRE = Genre(2.0, "Jazz", 0.7, "music", 0.0, 0.98, (Score("Jazz", 0.7), Score("Rock", 0.3)))
KEY = Key(2.0, "A minor", "8A", 0.8, "clear", 0.0, 1.5, (Score("A minor", 0.8), Score("C major", 0.1)))
LEVEL = Level(2.1, -20.0, -3.0, clipping=False)
STATUS = Status(2.2, "live", "", 0.0, 0.0, 0, 0)


def tempo(bpm: float) -> Tempo:
    return Tempo(1.0, bpm, 0.8, "locked", 0.0, ())


EVENTS: dict[str, Tempo | Genre | Key | Level | Status] = {
    "tempo": tempo(128.0),
    "genre": GENRE,
    "key": KEY,
    "level": LEVEL,
    "status": STATUS,
}


class Analyzer:
    """A hub to publish to by hand, and what a sink makes of it."""

    def __init__(self, session: str) -> None:
        """Begin a session."""
        self.encoder = Encoder(session)
        self.hub = Hub(Message("hello", json.dumps({"type": "hello", "session": session}), session=session))

    def publish(self, event: Tempo | Beat | Genre | Key | Loudness | Level | Status) -> str:
        message = self.encoder.encode(event)
        self.hub.publish(message)
        assert isinstance(message.payload, str)
        return message.payload


@asynccontextmanager
async def following(
    port: int, *, session: str = "aaaaaa", node: str = "hall", **more: Any
) -> AsyncIterator[tuple[Analyzer, MqttSink]]:
    """Run a sink while the context lasts; it ends as at the end of a file."""
    settings = {"discovery_prefix": None, "tls": None, "user": "", "password": ""} | more
    sink = MqttSink(MqttAddress("127.0.0.1", port, tls=bool(settings["tls"])), node=node, **settings)
    analyzer = Analyzer(session)
    task = asyncio.create_task(sink.follow(analyzer.hub))
    try:
        yield analyzer, sink
    finally:
        analyzer.hub.close()
        await asyncio.wait([task], timeout=10.0 if sink.broker_state() == "up" else 0.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() or task.exception() is None


async def is_up(subscriber: Subscriber, *, start: int = 0) -> int:
    return await subscriber.until(says("v1/availability", "online"), start=start)


def seen(subscriber: Subscriber, kind: str) -> list[str]:
    return [text(m) for m in subscriber.messages if m.topic.value.endswith(f"/{kind}") and m.payload]


async def state(sink: MqttSink, wanted: str) -> None:
    async with asyncio.timeout(30.0):
        while sink.broker_state() != wanted:
            await asyncio.sleep(0.01)
