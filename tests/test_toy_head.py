"""A head that nobody knows: defined here alone, it is on WebSocket, MQTT, OSC, Home Assistant, metrics and timeline."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.request import urlopen

import jsonschema
import pytest
from websockets.asyncio.client import connect

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.kinds import Entity, Kind, described, record
from stream_analyzer.protocol.summary import Timeline
from stream_analyzer.serving.mqtt.sink import MqttSink
from stream_analyzer.serving.osc import OscSink
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.system.address import MqttAddress, OscReceiver
from stream_analyzer.types import AudioBlock, Level, Status
from tests.docs.test_protocol_docs import SCHEMA
from tests.support.described import osc_tags, schema_of
from tests.support.desk import listening
from tests.support.fakes import drum_loop
from tests.support.mosquitto import Mosquitto, kept, says, text, why_not
from tests.support.running import running

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.analysis.head import Step
    from stream_analyzer.sound.queue import BlockQueue

RATE_HZ = 22_050


@record
class Mood:
    """How the sound feels."""

    KIND: ClassVar[Kind] = Kind("mood", mqtt="retained", sure=("state", ("felt",)))

    time_s: float
    valence: float = described(
        digits=2, osc=True, osc_alone="valence", row=True, entity=Entity("Mood", "mdi:heart", unit="%")
    )
    state: Literal["felt", "guessed"] = described(osc=True)


class ToyHead:
    """Feels by the level alone: no features, no model. State: none."""

    name: ClassVar[str] = "mood"
    event: ClassVar[type[Any]] = Mood
    measures: ClassVar[bool] = False
    features = ()
    model = None
    ready = True
    window_s, first_s, latency_s = 0.1, 0.1, 0.0

    def facts(self) -> dict[str, Any]:
        """Add nothing to hello."""
        return {}

    def hear(self, step: Step) -> list[Mood]:
        """Feel a step."""
        return [Mood(step.time_s, min(1.0, -step.level.rms_dbfs / 90.0), "felt")]

    def reset(self) -> None:
        """Forget nothing."""


class Loop:
    """A source that plays a drum loop once, and then stays open."""

    live = False

    def open(self) -> SourceInfo:
        """Name it."""
        return SourceInfo("file", "loop", RATE_HZ, 1)

    async def deliver(self, queue: BlockQueue) -> None:
        """Play it."""
        await queue.put_when_room(AudioBlock(drum_loop(2.0), RATE_HZ))
        await asyncio.Event().wait()


async def messages(url: str, kind: str) -> dict[str, dict[str, Any]]:
    """Return the messages up to the first of a kind, by type."""
    found: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(30.0), connect(url) as client:
        while kind not in found:
            message = json.loads(await client.recv())
            found[message["type"]] = message
    return found


async def test_on_websocket_and_metrics() -> None:
    async with running(Loop(), [ToyHead()]) as address:
        found = await messages(f"ws://{address}/ws?types=mood,status", "mood")
        assert found["hello"]["data"]["types"] == ["mood", "level", "status", "spectrum", "summary", "mark"]
        jsonschema.validate(found["mood"]["data"], schema_of(Mood))
        metrics = await asyncio.to_thread(lambda: urlopen(f"http://{address}/metrics").read().decode())
        assert 'stream_analyzer_messages_total{type="mood"}' in metrics


@pytest.mark.skipif(bool(why_not()), reason=why_not())
async def test_on_mqtt_and_in_home_assistant(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        sink = MqttSink(
            MqttAddress("127.0.0.1", broker.port, tls=False),
            node="hall",
            discovery_prefix="homeassistant",
            tls=None,
            user="",
            password="",
            events=(Mood, Level, Status),
        )
        async with broker.subscriber() as subscriber, running(Loop(), [ToyHead()], mqtt=sink):
            at = await subscriber.until(says("v1/mood"))
            mood = json.loads(text(subscriber.messages[at - 1]))
            retained = await kept(broker)
        jsonschema.validate(mood["data"], schema_of(Mood))
        assert "mood" in retained
        sensors = json.loads(retained["config"])["components"]
        assert set(sensors) == {"mood_valence", "state"}
        assert sensors["mood_valence"]["state_topic"] == "stream-analyzer/hall/v1/mood"


async def test_on_osc() -> None:
    async with listening() as desk, running(Loop(), [ToyHead()], osc=OscSink([OscReceiver("127.0.0.1", desk.port)])):
        valence, state = await desk.until("mood")
        assert (0.0 < valence <= 1.0, state) == (True, "felt")
        assert len(await desk.until("valence")) == 1
    assert osc_tags(Mood) == {"mood": "fs", "valence": "f"}


def test_in_the_timeline() -> None:
    rows = Timeline([Mood])
    for event in Analyzer([ToyHead()]).feed(AudioBlock(drum_loop(0.35), RATE_HZ)):
        rows.add(event)
    assert [list(row) for row in rows.to_dict()["mood"]] == [["time_s", "valence"]] * 3


def test_the_check_of_the_schema_would_miss_it() -> None:
    assert Mood.KIND.name not in SCHEMA["components"]["schemas"], "a kind that ships must be written down"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"valence": "high", "state": "felt"}, schema_of(Mood))
