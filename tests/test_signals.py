"""Signals and the real process: a terminal that closes, one that may, a process that was stopped and goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.mosquitto import Mosquitto, says, why_not
from tests.support.real_process import END_LIMIT_S, on_terminal, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.real_process import Json

MUST_RUN = os.environ.get("CI") == "true"
pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows knows no SIGHUP"),
    pytest.mark.skipif(bool(why_not()) and not MUST_RUN, reason=why_not() or "a broker can be run"),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


def flags(broker: Mosquitto) -> tuple[str, ...]:
    return ("--input", "demo", "--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--node", "hall")


def broker_up(message: Json) -> bool:
    return bool(message["type"] == "status" and message["data"]["broker"] == "up")


async def test_a_terminal_that_closes_ends_the_program_with_its_farewells(broker: Mosquitto) -> None:
    with on_terminal(*flags(broker)) as service:
        service.wait_until_up()
        async with broker.subscriber() as subscriber:
            await subscriber.until(says("v1/availability", "online"))
            code, took_s = await asyncio.to_thread(service.end, signal.SIGHUP)
            await subscriber.until(says("v1/availability", "offline"))
    assert (code, took_s < END_LIMIT_S) == (0, True)


async def test_what_nohup_started_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with serve("--input", "demo") as service:
            async with service.listen() as client:
                service.process.send_signal(signal.SIGHUP)
                at = len(client.messages)
                await client.until(lambda m: m["type"] == "tempo", start=at)
            assert service.process.poll() is None
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_process_that_was_stopped_goes_on_without_a_traceback(broker: Mosquitto) -> None:
    with serve(*flags(broker)) as service:
        async with service.listen() as client:
            at = await client.until(broker_up)
            for _ in range(3):
                service.process.send_signal(signal.SIGSTOP)
                broker.kill()  # it ends the connection, as a live one would after one and a half keep-alives
                service.process.send_signal(signal.SIGCONT)
                at = await client.until(lambda m: m["type"] == "status" and not broker_up(m), start=at)
                broker.start()
                at = await client.until(broker_up, start=at)
        await asyncio.to_thread(service.end)
    assert [line for line in service.said if "Traceback" in line or " ERROR " in line] == []
