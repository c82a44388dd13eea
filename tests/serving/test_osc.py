"""OSC as a desk gets it: a real UDP server, addresses and arguments, a pace it can follow, receivers that are none."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pythonosc.udp_client import UDPClient

from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.serving import osc
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.osc import PREFIX, OscSink
from stream_analyzer.settings.config import load_settings
from stream_analyzer.system.address import OscReceiver
from stream_analyzer.types import EVENTS, Beat, Genre, Level, Score, Spectrum, Status, Tempo
from tests.support.described import osc_tags
from tests.support.desk import listening
from tests.support.real_process import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DOCS = Path(__file__).parents[2] / "docs" / "protocol.md"
TEMPO = Tempo(1.0, 127.94, 0.8, "locked", 0.0, ())
GENRE = Genre(2.0, "Electronic", 0.7, "music", 0.0, 0.98, (Score("Electronic", 0.7),), Score("House", 0.6))
STATUS = Status(2.2, "silent", "no sound above -70 dBFS", 0.0, 0.0, 0, 0)


@asynccontextmanager
async def sending(port: int, host: str = "127.0.0.1", *more: OscReceiver) -> AsyncIterator[tuple[Hub, Encoder]]:
    hub, encoder = Hub(Message("hello", "{}")), Encoder("abcdef")
    task = asyncio.create_task(OscSink([OscReceiver(host, port), *more]).follow(hub))
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
        await desk.until("demo")
        assert desk.came == [
            ("tempo", [f32(127.94), f32(0.8), "locked", 0.0]),
            ("bpm", [f32(127.94)]),
            ("genre", ["Electronic", f32(0.7), "music", 0.0, "House"]),
            ("level", [-20.0, -3.0, 1]),
            ("status", ["silent", "no sound above -70 dBFS"]),
            ("demo", [0]),
        ]


async def test_of_several_inputs_addresses_bear_the_name() -> None:
    hub, encoder = Hub(Message("hello", "{}")), Encoder("abcdef")
    async with listening() as desk:
        sink = OscSink([OscReceiver("127.0.0.1", desk.port)], input_name="deckB")
        task = asyncio.create_task(sink.follow(hub))
        hub.publish(encoder.encode(TEMPO))
        assert await desk.until("deckB/bpm") == [f32(127.94)]
        hub.close()
        await task


async def test_a_tempo_that_is_no_more_than_a_guess_moves_no_fader() -> None:
    async with listening() as desk, sending(desk.port) as (hub, encoder):
        hub.publish(encoder.encode(Tempo(1.0, 90.0, 0.2, "searching", 0.0, ())))
        hub.publish(encoder.encode(Genre(2.0, None, 0.0, "not_music", 0.0, 0.1, ())))
        assert await desk.until("genre") == ["", 0.0, "not_music", 0.0, ""]
        assert "bpm" not in dict(desk.came)


def beat(at_s: float, number: int | None, *, period_s: float = 0.5) -> Beat:
    """Return a beat at ``at_s``, as it comes with the step of sound that ends then or a little later."""
    time_s = math.ceil(10.0 * at_s - 1e-9) / 10.0
    return Beat(time_s, at_s, number, number and 4, 0.9, at_s + period_s, 60.0 / period_s)


async def test_a_beat_is_sent_when_it_was_foretold_to_fall() -> None:
    async with listening() as desk, sending(desk.port) as (hub, encoder):
        hub.publish(encoder.encode(STATUS))
        await desk.until("status")  # the sink is there
        hub.publish(encoder.encode(beat(1.0, 4)))
        assert await desk.until("beat") == [4, 4, f32(0.9), 120.0]
        assert await desk.until("beat", nth=1) == [1, 4, f32(0.9), 120.0], "no message has told of it yet"
        hub.publish(encoder.encode(beat(1.5, 1, period_s=60.0)))  # now one has
        hub.publish(encoder.encode(STATUS))
        await desk.until("status", nth=1)
        hub.publish(encoder.encode(beat(99.0, None)))  # not the one that was foretold
        assert await desk.until("beat", nth=2) == [0, 0, f32(0.9), 120.0]


async def test_beats_do_not_wait_for_the_pace_of_other_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osc, "_PAUSE_S", 1.0)
    async with listening() as desk, sending(desk.port) as (hub, encoder):
        hub.publish(encoder.encode(TEMPO))
        await desk.until("bpm")
        for event in (TEMPO, GENRE, beat(1.0, 1, period_s=60.0)):
            hub.publish(encoder.encode(event))
        await desk.until("genre")
    assert [address for address, _ in desk.came] == ["tempo", "bpm", "beat", "tempo", "bpm", "genre"]


async def test_of_a_file_that_is_analysed_at_once_beats_come_at_a_pace_that_a_desk_can_follow() -> None:
    async with listening() as desk, sending(desk.port) as (hub, encoder):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for i in range(1, 400):
            hub.publish(encoder.encode(beat(i * 0.5, None)))
            await asyncio.sleep(0.001)
        hub.publish(encoder.encode(STATUS))
        await desk.until("status")
        count = [address for address, _ in desk.came].count("beat")
        assert 3 <= count <= (loop.time() - begun) / 0.05 + 2


async def test_a_receiver_with_an_address_of_its_own_gets_no_beats() -> None:
    async with listening() as desk, listening() as own:
        async with sending(desk.port, "127.0.0.1", OscReceiver("127.0.0.1", own.port, "/tempo")) as (hub, encoder):
            hub.publish(encoder.encode(TEMPO))
            await own.until("/tempo")
            await desk.until("tempo")  # both sinks are there
            hub.publish(encoder.encode(beat(1.0, 1, period_s=60.0)))
            await desk.until("beat")
            hub.publish(encoder.encode(TEMPO))
            await own.until("/tempo", nth=1)
        assert [address for address, _ in own.came] == ["/tempo", "/tempo"]


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
        f"OSC receiver {place} can't be reached: Network is unreachable; trying on",
        f"OSC receiver {place} can be reached again",
    ]


async def test_the_real_process_sends() -> None:
    async with listening() as desk:
        with serve("--input", "demo", "--osc", f"127.0.0.1:{desk.port}"):
            bpm, *_ = await desk.until("tempo")
            assert 30.0 <= bpm <= 300.0
            for address in ("genre", "level", "status"):
                await desk.until(address)


class Names:
    """A name server that a test writes. State: what each name means, and how often it was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known: dict[str, str] = {}
        self.asked = 0
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: str, *more: Any, **options: Any) -> Any:
        if not str(host).endswith(".test"):
            return self._real(host, *more, **options)
        self.asked += 1
        if host not in self.known:
            raise socket.gaierror(-2, "Name or service not known")
        return self._real(self.known[host], *more, **options)


async def test_a_name_that_is_known_later_is_found_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osc, "backoff_s", lambda _attempt: 0.01)
    names = Names(monkeypatch)
    async with listening() as desk, sending(desk.port, "desk.test") as (hub, encoder):
        await until(lambda: names.asked >= 3)
        names.known["desk.test"] = "127.0.0.1"
        async with asyncio.timeout(30.0):
            while not desk.came:
                hub.publish(encoder.encode(TEMPO))
                await asyncio.sleep(0.01)
        place = f"OSC receiver desk.test:{desk.port}"
    assert [record.getMessage() for record in caplog.records] == [
        f"{place} can't be found: Name or service not known; trying on",
        f"{place} can be reached again",
    ]


async def test_a_name_that_gets_another_address_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osc, "_LOOK_UP_EVERY_S", 0.01)
    names = Names(monkeypatch)
    names.known["desk.test"] = "127.0.0.2"
    async with listening() as desk, sending(desk.port, "desk.test") as (hub, encoder):
        await until(lambda: names.asked >= 2)
        names.known["desk.test"] = "127.0.0.1"
        async with asyncio.timeout(30.0):
            while not desk.came:
                hub.publish(encoder.encode(TEMPO))
                await asyncio.sleep(0.01)


async def until(fulfilled: Callable[[], bool]) -> None:
    async with asyncio.timeout(30.0):
        while not fulfilled():
            await asyncio.sleep(0.01)


async def test_an_unknown_name_ends_nothing_and_others_get_theirs() -> None:
    async with listening() as desk:
        with serve("--input", "demo", "--osc", f"desk.invalid:9000, 127.0.0.1:{desk.port}") as service:
            await desk.until("tempo")
            assert service.process.poll() is None
        assert any("OSC receiver desk.invalid:9000 can't be found" in line for line in service.said)


async def test_each_receiver_has_an_address_and_a_range_of_its_own() -> None:
    async with listening() as page, listening() as visuals, listening() as lights, listening() as plain:
        asked = ",".join(
            (
                f"127.0.0.1:{page.port}",
                f"127.0.0.1:{visuals.port}/composition/tempocontroller/tempo?bpm=20-500&to=0-1",
                f"127.0.0.1:{lights.port}/Page1/Fader201?bpm=0-225&to=0-100",
                f"127.0.0.1:{plain.port}/tempo",
            )
        )
        sink = OscSink(load_settings({"osc": asked}, environment={}).osc)
        hub, encoder = Hub(Message("hello", "{}")), Encoder("abcdef")
        async with asyncio.timeout(30.0), asyncio.TaskGroup() as tasks:
            tasks.create_task(sink.follow(hub))
            hub.publish(encoder.encode(TEMPO))
            hub.publish(encoder.encode(GENRE))
            assert await page.until("bpm") == [f32(127.94)]
            assert await visuals.until("/composition/tempocontroller/tempo") == [f32(107.94 / 480.0)]
            assert await lights.until("/Page1/Fader201") == [f32(127.94 / 2.25)]
            assert await plain.until("/tempo") == [f32(127.94)]
            hub.publish(encoder.encode(replace(TEMPO, state="unsteady")))
            hub.publish(encoder.encode(STATUS))
            await page.until("status")
            hub.close()
        assert [len(desk.came) for desk in (visuals, lights, plain)] == [1, 1, 1], "a sure tempo and nothing else"


@pytest.mark.parametrize(("bpm", "place"), [(10.0, 0.0), (20.0, 0.0), (260.0, 0.5), (500.0, 1.0), (600.0, 1.0)])
def test_a_tempo_beyond_the_range_is_put_at_its_end(bpm: float, place: float) -> None:
    assert OscReceiver("a", 1, "/x", (20.0, 500.0), (0.0, 1.0)).place(bpm) == place
    assert OscReceiver("a", 1, "/x", (20.0, 500.0), (100.0, 0.0)).place(bpm) == 100.0 - 100.0 * place


@pytest.mark.parametrize(
    "value",
    [
        "desk", "desk:0", "desk:70000", ":9", "udp://desk:9", "a@b:1", "[::1:9", 9, [9], "a:1,b", "d:9/", "d:9/x y",
        "d:9/x#y", "d:9?bpm=1-2", "d:9?bpm=1-2&to=0-1", "d:9/x?to=0-1", "d:9/x?bpm=2-2", "d:9/x?bpm=fast",
        "d:9/x?bmp=1-2", "d:9/x?bpm=1-2&bpm=1-3", "d:9/x?bpm", "d:9/x*",
    ],
)  # fmt: skip
def test_bad_receivers(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"osc = .* must be (HOST:PORT|text)"):
        load_settings({"osc": value}, environment={})


def test_receivers_may_be_a_list_of_a_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "club.toml"
    file.write_text('osc = ["desk:9000", "[::1]:7000/tempo?bpm=60-180&to=-1-1"]')
    assert load_settings({}, file=file, environment={}).osc == (
        OscReceiver("desk", 9000),
        OscReceiver("::1", 7000, "/tempo", (60.0, 180.0), (-1.0, 1.0)),
    )


def test_every_preset_in_the_documentation_can_be_set() -> None:
    section = DOCS.read_text().partition("## OSC")[2].partition("\n## ")[0]
    presets = dict(re.findall(r"^\| ([\w+ ]+) \| `([^`]+)` \|", section, flags=re.MULTILINE))
    presets.pop("for")
    assert set(presets) == {"Resolume", "grandMA3", "QLC+", "TouchDesigner"}
    for value in presets.values():
        assert load_settings({"osc": value}, environment={}).osc


def test_the_documentation_names_every_address_with_its_arguments() -> None:
    section = DOCS.read_text().partition("## OSC")[2].partition("\n## ")[0]
    rows = dict(re.findall(rf"^\| `{PREFIX}/(\w+)` \| `([sfi]+)` \|", section, flags=re.MULTILINE))
    said = {address: tags for event in EVENTS if event is not Spectrum for address, tags in osc_tags(event).items()}
    assert (
        rows
        == said
        == {"tempo": "ffsf", "bpm": "f", "beat": "iiff", "genre": "sfsfs"}
        | {
            "key": "ssfsf",
            "loudness": "ffff",
            "integrated": "f",
            "energy": "ffff",
            "moment": "sf",
            "level": "ffi",
            "status": "ss",
            "demo": "i",
        }
    )
