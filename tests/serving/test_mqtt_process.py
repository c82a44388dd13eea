"""MQTT and the real process: a broker killed in mid-stream, a last will, and ends that no broker can hold up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.inputs import Input, Inputs
from tests.support.mosquitto import Mosquitto, kept, says, why_not
from tests.support.real_process import END_LIMIT_S, Json, run_command, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MUST_RUN = os.environ.get("CI") == "true"
pytestmark = pytest.mark.skipif(bool(why_not()) and not MUST_RUN, reason=why_not() or "a broker can be run")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def flags(port: int, *more: str) -> tuple[str, ...]:
    return ("--input", "demo", "--mqtt", f"mqtt://127.0.0.1:{port}", "--node", "hall", *more)


def broker_is(state: str) -> Callable[[Json], bool]:
    return lambda message: message["type"] == "status" and message["data"]["broker"] == state


async def test_a_broker_killed_in_mid_stream_has_the_latest_again(broker: Mosquitto) -> None:
    with serve(*flags(broker.port)) as service:
        async with service.listen() as client:
            at = await client.until(broker_is("up"), limit_s=30)
            async with broker.subscriber() as before:
                await before.until(says("v1/tempo"))
                await before.until(says("v1/genre"))
            broker.kill()
            at = await client.until(broker_is("down"), limit_s=30, start=at)
            broker.start()
            await client.until(broker_is("up"), limit_s=30, start=at)
            async with broker.subscriber() as after:
                for topic in ("v1/tempo", "v1/genre", "v1/status", "hall/config"):
                    await after.until(says(topic))
                await after.until(says("v1/availability", "online"))
                service.process.kill()  # no farewell: the broker knows the last will
                await after.until(says("v1/availability", "offline"))
            assert client.last("status")["lost_s"] == 0.0
        assert (await kept(broker))["availability"] == "offline"
    lines = [line.partition("MQTT broker ")[2].partition(" ")[2] for line in service.said if "MQTT" in line]
    assert (lines[0], lines[-1]) == ("is away: the connection broke; trying again", "is there")
    assert len(lines) <= 3, "a line a change: it broke, it is refused, it is there"


async def test_ctrl_c_says_goodbye(broker: Mosquitto) -> None:
    with serve(*flags(broker.port)) as service:
        async with broker.subscriber() as subscriber:
            await subscriber.until(says("v1/availability", "online"))
            code, took_s = await asyncio.to_thread(service.end)
            await subscriber.until(says("v1/availability", "offline"))
    assert code == 0
    assert took_s < END_LIMIT_S
    assert not [line for line in service.said if "http" not in line]


async def test_a_broker_that_hangs_holds_up_no_end(broker: Mosquitto) -> None:
    with serve(*flags(broker.port)) as service:
        async with service.listen() as client:
            await client.until(broker_is("up"), limit_s=30)
            broker.freeze()
            code, took_s = await asyncio.to_thread(service.end, signal.SIGTERM)
    assert code == 0
    assert took_s < END_LIMIT_S
    assert not [line for line in service.said if "MQTT" in line]
    broker.thaw()
    async with broker.subscriber() as after:
        await after.until(says("v1/availability", "offline"))


def test_a_broker_that_can_t_be_reached_holds_up_no_end() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, socket.socket() as one, socket.socket() as other:
        for filler in (one, other):  # who comes now waits for a place in the queue
            filler.setblocking(False)  # noqa: FBT003 - the method's own form
            filler.connect_ex(deaf.getsockname())
        with serve(*flags(deaf.getsockname()[1])) as service:
            code, took_s = service.end()
        assert code == 0
        assert took_s < END_LIMIT_S


def test_a_file_ends_without_its_broker() -> None:
    done = run_command("run", "--port", "0", *flags(1, "--speed", "0"))
    assert done.returncode == 0
    assert [line.partition("is away")[2] for line in done.stderr.splitlines() if "MQTT" in line] == [
        ": Connection refused (is the broker running?); trying again"
    ]


def test_a_certificate_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    done = run_command("run", "--port", "0", "--mqtt", "mqtts://hall.example", "--mqtt-ca", str(tmp_path / "ca.pem"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "mqtt_ca = " in line
    assert "must hold PEM certificates" in line


async def test_home_assistant_is_told_unknown_when_the_device_goes(broker: Mosquitto, tmp_path: Path) -> None:
    inputs = Inputs(tmp_path, Input("USB Audio", default=True))
    with serve("--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--node", "hall", env=inputs.env):
        async with broker.subscriber() as subscriber:
            at = await subscriber.until(says("v1/genre"))
            inputs.plug()
            await subscriber.until(says("v1/genre", ""), start=at)
            assert "genre" not in await kept(broker)
