"""The stream to many: what each chose, what it gets again, what it misses when it lags, and when it is let go."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.protocol.kinds import SPECTRUM_HEADER, TYPES
from stream_analyzer.protocol.spectrum import merge_columns
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.web import fanout as fanout_module
from stream_analyzer.serving.web.fanout import Fanout, Limits
from stream_analyzer.serving.web.server import Serving, WebServer
from stream_analyzer.types import Beat, Genre, Level, Score, Spectrum, Status, Tempo
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from stream_analyzer.kinds import Described


SESSION = "abcdef"
LIMIT_S = 20.0


@dataclass
class Stream:
    """A served stream into which a test publishes."""

    url: str
    hub: Hub
    fanout: Fanout
    encoder: Encoder

    def publish(self, *events: Described) -> None:
        for event in events:
            self.hub.publish(self.encoder.encode(event))

    @asynccontextmanager
    async def listen(self, query: str = "", **more: Any) -> AsyncIterator[ClientConnection]:
        """Connect, and read `hello`."""
        before = self.fanout.counters.clients
        async with asyncio.timeout(LIMIT_S), connect(self.url + query, **more) as client:
            assert json.loads(await client.recv())["type"] == "hello"
            assert self.fanout.counters.clients == before + 1
            yield client


@asynccontextmanager
async def streaming(
    limits: Limits | None = None, *, max_clients: int = 10, types: Sequence[str] = TYPES
) -> AsyncIterator[Stream]:
    encoder = Encoder(SESSION)
    hub = Hub(Message("hello", json.dumps({"type": "hello"})))
    fanout = Fanout(encoder, limits=limits or Limits())
    with hub.subscribe(fanout):
        serving = Serving("127.0.0.1", 0, max_clients=max_clients)
        server = WebServer({"main": fanout}, ROOT / "web", serving=serving, answers={}, types=types)
        async with server.listen() as url:
            yield Stream(url.replace("http", "ws") + "ws", hub, fanout, encoder)


def level(time_s: float) -> Level:
    return Level(time_s, -20.0, -3.0, clipping=False)


def tempo(time_s: float) -> Tempo:
    return Tempo(time_s, 120.0, 0.9, "locked", 0.0, ())


def beat(time_s: float) -> Beat:
    return Beat(time_s, time_s - 0.02, 1, 4, 0.9, time_s + 0.48, 120.0)


def genre(time_s: float) -> Genre:
    return Genre(time_s, "Jazz", 0.7, "music", 0.0, 0.98, (Score("Jazz", 0.7),))


def columns(time_s: float, count: int = 5) -> Spectrum:
    return Spectrum(time_s, np.full((count, 128), round(10 * time_s) % 256, np.uint8))


async def receive(client: ClientConnection) -> Any:
    payload = await client.recv()
    return json.loads(payload) if isinstance(payload, str) else payload


async def read_to_the_end(client: ClientConnection) -> None:
    while True:
        await client.recv()


async def kinds_until(client: ClientConnection, kind: str) -> list[tuple[str, int]]:
    """Return kind and sequence number of what comes, up to the first of ``kind``."""
    found: list[tuple[str, int]] = []
    while not found or found[-1][0] != kind:
        message = await receive(client)
        found.append((message["type"], message["seq"]))
    return found


async def test_a_client_chooses_its_kinds() -> None:
    async with streaming() as stream, stream.listen("?types=tempo,genre") as client:
        stream.publish(level(0.1), tempo(0.1), columns(0.1), genre(0.1))
        assert await kinds_until(client, "genre") == [("tempo", 2), ("genre", 4)]


async def test_a_late_joiner_gets_the_last_of_each_kind_it_chose() -> None:
    async with streaming() as stream:
        stream.publish(tempo(0.1), level(0.1), tempo(0.2), beat(0.2), genre(0.2))
        await asyncio.sleep(0)
        async with stream.listen("?types=tempo,beat,genre") as client:
            assert await kinds_until(client, "genre") == [("tempo", 3), ("genre", 5)], "a beat of before is none"


async def test_beats_come_at_once_and_all_however_seldom_the_rest_is_wanted() -> None:
    async with streaming() as stream, stream.listen("?hz=0.1&types=tempo,beat") as client:
        stream.publish(tempo(0.1))  # due at once: nothing was sent yet
        assert (await receive(client))["type"] == "tempo"
        for step in range(2, 5):
            stream.publish(tempo(step / 10), beat(step / 10))
            await asyncio.sleep(0)
        came = [await receive(client) for _ in range(3)]
        assert [(message["type"], message["time_s"]) for message in came] == [
            ("beat", 0.2),
            ("beat", 0.3),
            ("beat", 0.4),
        ]


async def test_to_ask_for_what_this_analyzer_has_no_model_for_is_no_mistake() -> None:
    async with streaming(types=("genre", "level")) as stream, stream.listen("?types=beat,level") as client:
        stream.publish(level(0.1))
        assert await kinds_until(client, "level") == [("level", 1)]


async def test_a_client_chooses_its_rate_and_gets_the_newest_and_all_columns() -> None:
    async with streaming() as stream, stream.listen("?hz=0.1&types=level,spectrum,status") as client:
        stream.publish(level(0.1))  # due at once: nothing was sent yet
        assert (await receive(client))["time_s"] == 0.1
        for step in range(2, 7):
            stream.publish(level(step / 10), columns(step / 10))
            await asyncio.sleep(0)
        stream.fanout.close()  # the next are due in 10 s, or when the stream ends
        version, kind, bands, count, *_, time_s = SPECTRUM_HEADER.unpack_from(frame := await receive(client))
        assert (version, kind, bands, count, time_s) == (1, 1, 128, 25, 0.6)
        assert list(frame[SPECTRUM_HEADER.size :: 128]) == [2] * 5 + [3] * 5 + [4] * 5 + [5] * 5 + [6] * 5
        assert (await receive(client))["time_s"] == 0.6


async def test_at_full_rate_10_hz_everything_comes() -> None:
    async with streaming() as stream, stream.listen("?hz=10&types=level") as client:
        loop = asyncio.get_running_loop()
        feed = next(iter(stream.fanout._feeds.values()))
        start_s = loop.time()
        for step, off_s in enumerate([0.0, 0.02, -0.03, 0.04, 0.0, -0.04]):  # steps come early and late, none is held
            message = stream.encoder.encode(level(step / 10))
            feed.send([fanout_module._Parcel(message)], now_s=start_s + step / 10 + off_s)
        for step in range(6):
            assert (await receive(client))["time_s"] == step / 10


def test_columns_with_a_gap_between_them_stay_apart() -> None:
    encoder = Encoder(SESSION)
    sent = [encoder.encode(columns(time_s)).payload for time_s in (1.0, 1.1, 3.0, 3.1, 3.2)]
    frames = merge_columns([frame for frame in sent if isinstance(frame, bytes)])
    read = [SPECTRUM_HEADER.unpack_from(frame) for frame in frames]
    assert [(head[3], head[-1]) for head in read] == [(10, 1.1), (15, 3.2)]
    assert [head[-2] for head in read] == [2, 5], "numbered like the last of its columns"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "types=tempo,rumour",
            "no type 'rumour'; known are tempo, beat, genre, key, loudness, energy, moment, level, status",
        ),
        ("types=", "no type ''"),
        ("types=hello", "no type 'hello'"),
        ("types=tempo&types=genre", "types is given twice; join several types by commas"),
        ("hz=fast", "hz = 'fast'; must be a number from 0.1 to 10"),
        ("hz=0", "hz = '0'; must be a number"),
        ("hz=11", "0.1 to 10"),
        ("hz=nan", "0.1 to 10"),
        ("hz=-1", "0.1 to 10"),
        ("hz=1e1", "0.1 to 10"),
        ("since=412", "since = '412'; must be SESSION.SEQ"),
        ("since=abcdef.-1", "SESSION.SEQ"),
        ("typ=tempo", "unknown parameter 'typ'; known are types, hz, since"),
        ("a&b&c&d&e&f", "known are types, hz, since"),
        ("hz=%0a%22x", r"hz = '\n\"x'"),
        ("hz=" + "9" * 1000, "hz = '9999999999999999999999999999999999999999';"),
    ],
)
async def test_bad_wishes_are_refused_in_one_line(query: str, says: str) -> None:
    async with streaming() as stream:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"{stream.url}?{query}"):
                pass
        assert caught.value.response.status_code == HTTPStatus.BAD_REQUEST
        body = caught.value.response.body.decode()
        assert says.replace(r"\"", '"') in body
        assert body.count("\n") == 1


async def test_who_comes_back_gets_what_it_missed(validate: Callable[[dict[str, Any]], None]) -> None:
    async with streaming() as stream:
        stream.publish(tempo(0.1), level(0.1), genre(0.2), level(0.3), tempo(0.4))
        await asyncio.sleep(0)
        async with stream.listen(f"?since={SESSION}.2") as client:
            told = await receive(client)
            validate(told)
            assert told["data"] == {"since": f"{SESSION}.2", "missed": 0, "detail": ""}
            stream.publish(Status(0.5, "live", "", 0.0, 0.0, 0, 0))
            assert await kinds_until(client, "status") == [("genre", 3), ("level", 4), ("tempo", 5), ("status", 6)]


async def test_what_is_no_longer_held_is_told() -> None:
    async with streaming(Limits(held=3)) as stream:
        stream.publish(genre(0.1), tempo(0.1), level(0.1), level(0.2), level(0.3), level(0.4))
        await asyncio.sleep(0)
        async with stream.listen(f"?since={SESSION}.1&types=tempo,level,genre") as client:
            told = await receive(client)
            assert (told["data"]["missed"], told["data"]["detail"]) == (2, "no longer held")
            stream.publish(genre(0.5))
            expected = [("tempo", 2), ("level", 4), ("level", 5), ("level", 6), ("genre", 7)]
            assert await kinds_until(client, "genre") == expected


async def test_another_session_is_told_and_greeted_like_a_newcomer(validate: Callable[[dict[str, Any]], None]) -> None:
    async with streaming() as stream:
        stream.publish(tempo(0.1), tempo(0.2))
        await asyncio.sleep(0)
        async with stream.listen("?since=012345.9") as client:
            told = await receive(client)
            validate(told)
            assert told["data"]["missed"] is None
            assert "session" in told["data"]["detail"]
            assert await kinds_until(client, "tempo") == [("tempo", 2)]


async def test_a_long_replay_comes_in_pieces_and_whole() -> None:
    async with streaming(Limits(piece_bytes=1000)) as stream:
        stream.publish(*(level(step / 10) for step in range(100)))
        await asyncio.sleep(0)
        async with stream.listen(f"?since={SESSION}.0") as client:
            await receive(client)
            seen: list[int] = []
            while len(seen) < 120:
                if len(seen) % 5 == 0:
                    stream.publish(level(50.0))  # what is published drives the replay on
                seen.append((await receive(client))["seq"])
        assert seen == list(range(1, 121))
        assert stream.fanout.counters.missed == 0


def big(kind: str, number: int) -> Message:
    return Message(kind, f"{kind} {number} " + "x" * 50_000)


async def test_who_lags_gets_the_newest_and_the_missed_are_counted() -> None:
    async with streaming() as stream, stream.listen(compression=None) as client:
        client.transport.pause_reading()
        published = 0
        while stream.fanout.counters.missed < 20:
            stream.hub.publish(big("level", published))
            published += 1
            await asyncio.sleep(0)
        stream.hub.publish(big("tempo", 0))
        client.transport.resume_reading()
        seen: list[int] = []
        while not seen or seen[-1] != published - 1:
            kind, number, _ = str(await client.recv()).split(" ")
            if kind == "level":
                seen.append(int(number))
            else:  # nothing pushes the client on but what is published
                assert number == "0"
            stream.hub.publish(Message("status", "status 0 -"))
        assert seen == sorted(set(seen))
        assert len(seen) + 20 == published


async def test_a_client_that_takes_nothing_is_let_go_and_nobody_else() -> None:
    async with (
        streaming(Limits(stalled_s=0.3)) as stream,
        stream.listen() as good,
        stream.listen(compression=None) as bad,
    ):
        bad.transport.pause_reading()
        while stream.fanout.counters.clients == 2:
            stream.hub.publish(big("level", 1))
            await good.recv()
        assert stream.fanout.counters.stalled == 1
        bad.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            await read_to_the_end(bad)
        stream.publish(tempo(9.0))
        assert (await receive(good))["time_s"] == 9.0


async def test_one_too_many_is_told_to_come_later() -> None:
    async with streaming(max_clients=1) as stream, stream.listen() as good:
        with pytest.raises(ConnectionClosed) as caught:
            async with connect(stream.url) as bad:
                await bad.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1013, "no room for more clients; try again later")
        assert stream.fanout.counters.refused == 1
        stream.publish(tempo(1.0))
        assert (await receive(good))["time_s"] == 1.0


@pytest.mark.parametrize("window", [None, 15, 12, 9])
async def test_a_frame_is_compressed_once_for_all_who_agree(window: int | None) -> None:
    factory = ClientPerMessageDeflateFactory(server_max_window_bits=window)
    async with (
        streaming() as stream,
        stream.listen(compression=None) as plain,
        stream.listen(compression=None, extensions=[factory]) as one,
        stream.listen(compression=None, extensions=[factory]) as other,
    ):
        for number in range(3):
            text = f"{number} " * 500
            stream.hub.publish(Message("genre", text))
            assert [await client.recv() for client in (plain, one, other)] == [text] * 3
        parcel = stream.fanout._last["genre"]
        assert ("deflated" in vars(parcel)) == (window != 9), "a smaller window than ours gets plain frames"
        assert len(parcel.deflated) < len(parcel.plain) / 10


async def test_what_compression_would_lengthen_is_sent_plain() -> None:
    noise = np.random.default_rng(0).bytes(500)
    async with streaming() as stream, stream.listen() as client:
        stream.hub.publish(Message("spectrum", noise))
        assert await client.recv() == noise
        assert stream.fanout._held[-1].deflated is stream.fanout._held[-1].plain


async def test_counters_tell_what_was_sent() -> None:
    async with streaming() as stream, stream.listen() as one, stream.listen("?types=tempo") as other:
        before = stream.fanout.counters.sent
        stream.publish(level(0.1), tempo(0.1))
        await one.recv(), await one.recv(), await other.recv()
        assert stream.fanout.counters.sent == before + 3
