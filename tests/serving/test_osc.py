"""OSC as a desk gets it: a real UDP server, addresses and arguments, a pace it can follow, receivers that are none."""

from __future__ import annotations

import asyncio
import logging
import re
import struct
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pythonosc.udp_client import UDPClient

from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.osc import PREFIX, OscSink
from stream_analyzer.settings.config import load_settings
from stream_analyzer.system.address import Address
from stream_analyzer.types import EVENTS, Genre, Level, Score, Spectrum, Status, Tempo
from tests.support.described import osc_tags
from tests.support.desk import listening
from tests.support.real_process import run_command, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DOCS = Path(__file__).parents[2] / "docs" / "protocol.md"
TEMPO = Tempo(1.0, 127.94, 0.8, "locked", 0.0, ())
GENRE = Genre(2.0, "Electronic", 0.7, "music", 0.0, 0.98, (Score("Electronic", 0.7),), Score("House", 0.6))
STATUS = Status(2.2, "silent", "no sound above -70 dBFS", 0.0, 0.0, 0, 0)


@asynccontextmanager
async def sending(port: int, host: str = "127.0.0.1") -> AsyncIterator[tuple[Hub, Encoder]]:
    hub, encoder = Hub(Message("hello", "{}")), Encoder("abcdef")
    task = asyncio.create_task(OscSink(Address(host, port)).follow(hub))
    try:
        yield hub, encoder
    finally:
        hub.close()
        async with asyncio.timeout(10.0):
            await task


def f32(value: float) -> float:
    """Return what is left of a number in four bytes."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


async def test_addresses_and_arguments() -> None:
    async with listening() as desk, sending(desk.port) as (hub, encoder):
        for event in (TEMPO, GENRE, Level(2.1, -20.0, -3.0, clipping=True), STATUS):
            hub.publish(encoder.encode(event))
        await desk.until("status")
        assert desk.came == [
            ("tempo", [f32(127.94), f32(0.8), "locked", 0.0]),
            ("bpm", [f32(127.94)]),
            ("genre", ["Electronic", f32(0.7), "music", 0.0, "House"]),
            ("level", [-20.0, -3.0, 1]),
            ("status", ["silent", "no sound above -70 dBFS"]),
        ]


async def test_a_tempo_that_is_no_more_than_a_guess_moves_no_fader() -> None:
    async with listening() as desk, sending(desk.port) as (hub, encoder):
        hub.publish(encoder.encode(Tempo(1.0, 90.0, 0.2, "searching", 0.0, ())))
        hub.publish(encoder.encode(Genre(2.0, None, 0.0, "not_music", 0.0, 0.1, ())))
        assert await desk.until("genre") == ["", 0.0, "not_music", 0.0, ""]
        assert "bpm" not in dict(desk.came)


async def test_a_flood_becomes_the_newest_at_a_pace_that_a_desk_can_follow() -> None:
    async with listening() as desk, sending(desk.port) as (hub, encoder):
        await asyncio.sleep(0)  # the sink is there
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for i in range(500):
            hub.publish(encoder.encode(Tempo(float(i), 60.0 + i, 0.8, "searching", 0.0, ())))
            await asyncio.sleep(0.001)
        hub.publish(encoder.encode(STATUS))
        await desk.until("status")
        tempi = [arguments[0] for address, arguments in desk.came if address == "tempo"]
        assert tempi[-1] == 559.0, "the last one is there"
        assert len(tempi) <= (loop.time() - begun) / 0.05 + 2, "not more than twenty a second"


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 9), ("255.255.255.255", 9), ("192.0.2.1", 9), ("::1", 9)])
async def test_a_receiver_that_is_not_there_harms_nothing(host: str, port: int) -> None:
    async with sending(port, host) as (hub, encoder):
        for event in (TEMPO, GENRE, STATUS):
            hub.publish(encoder.encode(event))


async def test_failures_are_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.WARNING, "stream_analyzer.serving.osc")
    send, failures = UDPClient.send, 2

    def unplugged(client: UDPClient, content: Any) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError(101, "Network is unreachable")
        send(client, content)

    monkeypatch.setattr(UDPClient, "send", unplugged)
    async with listening() as desk:
        async with sending(desk.port) as (hub, encoder):
            hub.publish(encoder.encode(TEMPO))  # two addresses
            hub.publish(encoder.encode(STATUS))
            await desk.until("status")
        place = f"127.0.0.1:{desk.port}"
    assert [record.getMessage() for record in caplog.records] == [
        f"OSC can't be sent to {place}: Network is unreachable; trying on",
        f"OSC can be sent to {place} again",
    ]


async def test_the_real_process_sends() -> None:
    async with listening() as desk:
        with serve("--input", "demo", "--osc", f"127.0.0.1:{desk.port}"):
            bpm, *_ = await desk.until("tempo")
            assert 30.0 <= bpm <= 300.0
            for address in ("genre", "level", "status"):
                await desk.until(address)


def test_a_name_that_nobody_knows_is_one_line() -> None:
    done = run_command("run", "--port", "0", "--input", "demo", "--osc", "desk.invalid:9000")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("stream-analyzer: osc = desk.invalid:9000: ")
    assert "192.168.1.20:9000" in line


@pytest.mark.parametrize("value", ["desk", "desk:0", "desk:70000", ":9", "udp://desk:9", "d:9/x", "a@b:1", "[::1:9", 9])
def test_bad_receivers(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"osc = .* must be (HOST:PORT|text)"):
        load_settings({"osc": value}, environment={})


def test_the_documentation_names_every_address_with_its_arguments() -> None:
    section = DOCS.read_text().partition("## OSC")[2].partition("\n## ")[0]
    rows = dict(re.findall(rf"^\| `{PREFIX}/(\w+)` \| `([sfi]+)` \|", section, flags=re.MULTILINE))
    said = {address: tags for event in EVENTS if event is not Spectrum for address, tags in osc_tags(event).items()}
    assert rows == said == {"tempo": "ffsf", "bpm": "f", "genre": "sfsfs", "level": "ffi", "status": "ss"}
