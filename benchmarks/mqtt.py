"""What publishing by MQTT costs: ``python -m benchmarks.mqtt``. Many analyzers' sinks, one real mosquitto.

Each room publishes the real messages of the demo at their real pace through a sink of its own; all rooms live in one
process, whose processor time is compared with that of the same pace without sinks. The broker counts its own messages
and bytes. On a machine that is busy otherwise, rooms stall and send fewer: such a run says little. docs/scaling.md
computes from this what a thousand rooms need.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from aiomqtt import Client

from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.greeting import greeting
from stream_analyzer.offline import analyze_file
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.mqtt.sink import MqttSink
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.system.address import MqttAddress
from stream_analyzer.system.resources import DEMO_FILE, resource_folder
from stream_analyzer.types import EVENTS
from tests.support.mosquitto import Mosquitto, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.protocol.encode import Message
    from stream_analyzer.types import BrokerState

WARM_UP_S = 5.0
LEAD_S = 1.0
SETTLE_S = 2.5  # the broker tells its counts once a second
SESSION = "0123ab"
TYPES = ("tempo", "genre", "level", "status")
RETAINED = sorted(event.KIND.name for event in EVENTS if event.KIND.mqtt == "retained")
WHAT_DASHBOARDS_READ = [
    f"stream-analyzer/+/v1/{kind}" for kind in sorted(one.KIND.name for one in EVENTS if one.KIND.mqtt == "retained")
]


@dataclass(frozen=True)
class Recording:
    """Messages of the demo as they were published, each with its time on the sample clock."""

    hello: Message
    messages: list[tuple[float, Message]]
    seconds: float


def record(seconds: float) -> Recording:
    """Analyse the demo, and keep ``seconds`` of its messages from when it is live."""
    folder = resource_folder("models")
    heads = load_heads(folder)
    encoder = Encoder(SESSION)
    source = SourceInfo("demo", DEMO_FILE.name, 44_100, 2)
    hello = encoder.encode(greeting(source, heads, started_at="2026-01-01T00:00:00+00:00"))
    messages = []
    for _, events in analyze_file(DEMO_FILE, heads):
        for event in events:
            message = encoder.encode(event)
            if message.kind in TYPES and 0.0 < event.time_s - WARM_UP_S <= seconds:
                messages.append((event.time_s - WARM_UP_S, message))
        if events and events[-1].time_s > WARM_UP_S + seconds:
            break
    return Recording(hello, messages, seconds)


def sizes(recording: Recording) -> dict[str, dict[str, float]]:
    """Return how often each type comes, and its payload in bytes."""
    found = {}
    for kind in TYPES:
        lengths = [len(str(m.payload).encode()) for _, m in recording.messages if m.kind == kind]
        found[kind] = {
            "per_s": len(lengths) / recording.seconds,
            "mean_bytes": sum(lengths) / len(lengths),
            "max_bytes": max(lengths),
        }
    return found


async def play(hubs: list[Hub], recording: Recording) -> float:
    """Publish the recording to every hub at its pace, the rooms out of step; return the processor seconds it took."""
    step_s = 0.1
    schedule = sorted(
        ((at + step_s * i / len(hubs), i, message) for at, message in recording.messages for i in range(len(hubs))),
        key=lambda item: item[:2],
    )
    begun, spent = time.perf_counter() + LEAD_S, time.process_time()
    for at, room, message in schedule:
        if (wait_s := begun + at - time.perf_counter()) > 0.0:
            await asyncio.sleep(wait_s)
        hubs[room].publish(message)
    await asyncio.sleep(0.2)  # the last ones are on their way
    return time.process_time() - spent


class BrokerCounts:
    """What the broker says of itself, and what its process costs."""

    def __init__(self, broker: Mosquitto) -> None:
        """Watch ``broker``."""
        self._broker, self._process = broker, psutil.Process(broker.pid)

    async def read(self) -> dict[str, float]:
        """Return its counts once they have settled, and its processor time and memory."""
        cpu = self._process.cpu_times()
        await asyncio.sleep(SETTLE_S)
        wanted = {"bytes/received", "bytes/sent", "messages/received", "publish/messages/sent"}
        counts: dict[str, float] = {}
        async with Client("127.0.0.1", self._broker.port) as client:
            await client.subscribe("$SYS/broker/#")
            async for message in client.messages:
                name = message.topic.value.removeprefix("$SYS/broker/")
                if name in wanted:
                    counts[name] = float(text(message))
                if len(counts) == len(wanted):
                    break
        return counts | {"cpu_s": cpu.user + cpu.system, "resident_mb": self._process.memory_info().rss / 1e6}


async def rooms(count: int, recording: Recording, broker: Mosquitto, *, dashboards: int) -> dict[str, float]:
    """Play to so many rooms' sinks while so many dashboards read all of them; return what that took."""
    hubs = [Hub(recording.hello) for _ in range(count)]
    address = MqttAddress("127.0.0.1", broker.port, tls=False)
    sinks = [
        MqttSink(address, node=f"room{i}", discovery_prefix=None, tls=None, user="", password="") for i in range(count)
    ]
    counts = BrokerCounts(broker)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = [folder / str(i) for i in range(dashboards)]
        readers = [stack.enter_context(dashboard(broker, file)) for file in files]
        tasks = [asyncio.create_task(sink.follow(hub)) for sink, hub in zip(sinks, hubs, strict=True)]
        await all_are(sinks, "up")
        before = await counts.read()
        spent_s = await play(hubs, recording)
        after = await counts.read()
        states = [sink.broker_state() for sink in sinks]
        for reader in readers:
            reader.terminate()
        told = [sum(f'"session":"{SESSION}"' in line for line in file.read_text().splitlines()) for file in files]
        broker.kill()
        await all_are(sinks, "down")
        broker.start()
        back_s = await all_are(sinks, "up")
        for hub in hubs:
            hub.close()
        await asyncio.gather(*tasks)
    sent = count * sum(message.kind in RETAINED for _, message in recording.messages)
    change = {name: after[name] - before[name] for name in before}
    return {
        "process_s": spent_s,
        "broker_s": change["cpu_s"],
        "broker_mb": after["resident_mb"],
        "out": change["publish/messages/sent"],
        "bytes_in": change["bytes/received"],
        "bytes_out": change["bytes/sent"],
        "back_s": back_s,
        "not_up": sum(state != "up" for state in states),
        "published": change["messages/received"],  # where the machine stalls, newer ones take the place of some
        "arrived": sum(told) / (sent * dashboards) if dashboards else 1.0,
    }


async def all_are(sinks: list[MqttSink], state: BrokerState) -> float:
    """Wait until all sinks say so; return how long it took."""
    begun = time.perf_counter()
    while any(sink.broker_state() != state for sink in sinks):  # noqa: ASYNC110 - a sink tells nobody
        await asyncio.sleep(0.05)
    return time.perf_counter() - begun


def dashboard(broker: Mosquitto, file: Path) -> subprocess.Popen[bytes]:
    """Start a real client that reads tempo, genre and status of all rooms."""
    topics = [part for topic in WHAT_DASHBOARDS_READ for part in ("-t", topic)]
    command = ["mosquitto_sub", "-p", str(broker.port), "-q", "1", *topics]
    with file.open("wb") as out:
        return subprocess.Popen(command, stdout=out)


def measure(count: int, seconds: float, dashboards: int) -> dict[str, Any]:
    """Measure everything."""
    recording = record(seconds)
    idle_s = asyncio.run(play([Hub(recording.hello) for _ in range(count)], recording))
    results = {}
    for readers in (0, dashboards):
        with tempfile.TemporaryDirectory() as folder, Mosquitto(Path(folder), "sys_interval 1") as broker:
            results[readers] = asyncio.run(rooms(count, recording, broker, dashboards=readers))
    alone, read = results[0], results[dashboards]
    analyzer_s = (alone["process_s"] - idle_s) / count / seconds
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "broker": subprocess.run(["mosquitto_sub", "--version"], capture_output=True, text=True, check=False).stdout,
        "rooms": count,
        "seconds": seconds,
        "dashboards": dashboards,
        "types": sizes(recording),
        "analyzer": {
            "messages_per_s": alone["published"] / count / seconds,
            "bytes_out_per_s": alone["bytes_in"] / count / seconds,
            "bytes_in_per_s": alone["bytes_out"] / count / seconds,
            "cpu_share": analyzer_s,
            "us_per_message": analyzer_s / (alone["published"] / count / seconds) * 1e6,
        },
        "broker_cost": {
            "cpu_share": alone["broker_s"] / seconds,
            "us_per_message_in": alone["broker_s"] / alone["published"] * 1e6,
            "us_per_message_out": (read["broker_s"] - alone["broker_s"]) / (read["out"] - alone["out"]) * 1e6,
            "resident_mb": alone["broker_mb"],
        },
        "arrived": read["arrived"],
        "back_s": alone["back_s"],
        "not_up": alone["not_up"] + read["not_up"],
    }


def describe(result: dict[str, Any]) -> str:
    """Return the result as a table for people."""
    analyzer, broker = result["analyzer"], result["broker_cost"]
    said = sum(size["per_s"] for size in result["types"].values())
    rows = [
        (kind, f"{size['per_s']:.1f} a second", f"{size['mean_bytes']:.0f} bytes, at most {size['max_bytes']:.0f}")
        for kind, size in result["types"].items()
    ]
    rows += [
        ("one analyzer, messages", f"{analyzer['messages_per_s']:.1f} a second", f"of {said:.1f}: fewer if busy"),
        ("  bytes to the broker", f"{analyzer['bytes_out_per_s']:.0f} a second", "with MQTT's own, without TCP's"),
        ("  bytes from the broker", f"{analyzer['bytes_in_per_s']:.0f} a second", "confirmations, and its own status"),
        ("  processor", f"{analyzer['cpu_share']:.2%} of a core", f"{analyzer['us_per_message']:.0f} us a message"),
        (f"broker, {result['rooms']} rooms", f"{broker['cpu_share']:.1%} of a core", ""),
        ("  a message published", f"{broker['us_per_message_in']:.0f} us", "its confirmation and the echo included"),
        ("  a message delivered", f"{broker['us_per_message_out']:.0f} us", f"to {result['dashboards']} dashboards"),
        ("  memory", f"{broker['resident_mb']:.1f} MB", ""),
        ("all back after a restart", f"{result['back_s']:.1f} s", "each tries after 0.5 to 1 s, then less often"),
        ("arrived at the dashboards", f"{result['arrived']:.2%}", "the rest was replaced by newer where all stalled"),
    ]
    head = f"{result['machine']}, {result['broker'].strip()}, {result['rooms']} rooms, {result['seconds']:.0f} s"
    return "\n".join([head, *(f"{what:28}{value:>20}  {note}" for what, value, note in rows)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rooms", type=int, default=50, help="analyzers at once")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each part")
    parser.add_argument("--dashboards", type=int, default=10, help="subscribers to tempo, genre and status of all")
    options = parser.parse_args(arguments)
    logging.getLogger("stream_analyzer").setLevel(logging.ERROR)  # brokers that are killed on purpose are no news
    result = measure(options.rooms, options.seconds, options.dashboards)
    print(json.dumps(result) if options.json else describe(result))


if __name__ == "__main__":
    main()
