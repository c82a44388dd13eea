"""The Python client, asyncio and blocking alike: typed events, lines that break, gaps told, hostile servers."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from contextlib import aclosing, closing
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from stream_analyzer.client import Gap, Lost, Patience, Received, subscribe, subscribe_blocking
from stream_analyzer.errors import ConfigError, ProtocolError, StreamAnalyzerError
from stream_analyzer.protocol.decode import decode
from stream_analyzer.protocol.kinds import Hello, Summary
from stream_analyzer.types import Level, Spectrum, Status, Tempo
from tests.support.played import Act, Cable, Session, events, played
from tests.support.real_process import free_port, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    Collect = Callable[..., Coroutine[Any, Any, list[Received]]]

LIMIT_S = 120.0
TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's


@pytest.fixture
def waits() -> list[int]:
    """The attempts before each wait; none waits."""
    return []


@pytest.fixture
def hurry(waits: list[int]) -> Patience:
    """Patience that waits for nothing, and notes each attempt."""

    def none(attempt: int) -> float:
        waits.append(attempt)
        return 0.0

    return Patience(wait_s=none)


@pytest.fixture(params=["asyncio", "blocking"])
def collect(request: pytest.FixtureRequest, hurry: Patience) -> Collect:
    """Subscribe until a condition holds of all that came; by either variant."""

    async def by_asyncio(url: str, until: Callable[[list[Received]], bool], **choice: Any) -> list[Received]:
        came: list[Received] = []
        async with asyncio.timeout(LIMIT_S), aclosing(subscribe(url, **({"patience": hurry} | choice))) as stream:
            async for received in stream:
                came.append(received)
                if until(came):
                    break
        return came

    def blocking(url: str, until: Callable[[list[Received]], bool], **choice: Any) -> list[Received]:
        came: list[Received] = []
        with closing(subscribe_blocking(url, **({"patience": hurry} | choice))) as stream:
            for received in stream:
                came.append(received)
                if until(came):
                    break
        return came

    async def in_a_thread(*arguments: Any, **choice: Any) -> list[Received]:
        async with asyncio.timeout(LIMIT_S):
            came = await asyncio.to_thread(blocking, *arguments, **choice)
        assert not [thread for thread in threading.enumerate() if thread.name == "subscribe"]
        return came

    return by_asyncio if request.param == "asyncio" else in_a_thread


def count(number: int) -> Callable[[list[Received]], bool]:
    return lambda came: len(came) == number


async def test_events_are_typed_and_know_their_place(collect: Collect, song: Path) -> None:
    with serve("--input", str(song)) as service:
        came = await collect(
            service.address,
            lambda came: isinstance(came[-1].event, Summary),
            types="tempo,status,spectrum,summary",
        )
    assert isinstance(came[0].event, Hello)
    assert came[0].event.source.kind == "file"
    kinds = {type(received.event) for received in came}
    assert {Hello, Tempo, Status, Spectrum, Summary} <= kinds <= {Hello, Tempo, Status, Spectrum, Summary, Gap}
    assert len({received.session for received in came}) == 1
    for received in came:
        if received.payload:
            decoded = decode(received.payload, session=received.session)
            assert decoded
            assert decoded.seq == received.seq


async def test_a_broken_line_comes_back_and_what_is_missing_is_told(collect: Collect, waits: list[int]) -> None:
    session = Session("aaaaaa")
    first, missed, last = session.levels(3), session.levels(4), session.levels(2)
    acts = (Act([session.hello(), *first], closes=0), Act([session.hello(), first[-1], *last]))
    async with played(*acts) as analyzer:
        came = await collect(analyzer.url, count(9))
        assert len(missed) == 4
        assert events(came) == ["Hello", *["Level"] * 3, "Lost", "Hello", "Gap level 4", "Level", "Level"]
        assert [received.seq for received in came] == [0, 1, 2, 3, 3, 0, 3, 8, 9]
        assert isinstance(came[4].event, Lost)
        assert came[4].event.reason == "the connection broke"
        assert [path.partition("since=")[2] for path in analyzer.asked] == ["", "aaaaaa.3"]
        assert waits == [0]


async def test_a_new_session_is_told(collect: Collect, waits: list[int]) -> None:
    old, new = Session("aaaaaa"), Session("bbbbbb")
    new.levels(5)
    acts = (Act([old.hello(), *old.levels(1)], closes=1001), Act([new.hello(), *new.levels(1)]))
    async with played(*acts) as analyzer:
        came = await collect(analyzer.url, count(6))
    assert events(came) == ["Hello", "Level", "Lost", "Gap None None", "Hello", "Level"]
    assert [received.session for received in came] == ["aaaaaa"] * 4 + ["bbbbbb"] * 2
    assert came[2].event == Lost("as the test wants", 0.0)
    assert waits == [0]


async def test_a_killed_analyzer_is_followed_again_when_it_is_back(collect: Collect) -> None:
    port = str(free_port())
    first, told = serve("--input", "demo", "--port", port), threading.Event()

    def until(came: list[Received]) -> bool:
        if isinstance(came[-1].event, Level) and not told.is_set():
            told.set()
            service.process.kill()
        return isinstance(came[-1].event, Level) and came[-1].session != came[0].session

    with first as service:
        task = asyncio.create_task(collect(service.address, until))
        await asyncio.to_thread(told.wait, LIMIT_S)
        await asyncio.to_thread(service.process.wait, LIMIT_S)
    with serve("--input", "demo", "--port", port):
        came = await task
    names = events(came)
    lost = names.index("Lost")
    assert {"Lost"} < set(names[lost:]) <= {"Lost", "Gap None None", "Hello", "Level", "Status"}
    assert names[lost:].count("Gap None None") == 1


async def test_a_cut_cable_loses_nothing(collect: Collect) -> None:
    with serve("--input", "demo") as service:
        async with Cable(service.address).plugged() as cable:
            loop = asyncio.get_running_loop()

            def until(came: list[Received]) -> bool:
                if len(came) in (5, 12):
                    loop.call_soon_threadsafe(cable.cut)
                return events(came).count("Lost") == 2 and len(came) > 30

            came = await collect(cable.address, until, types="level,tempo,spectrum")
    assert "Gap" not in " ".join(events(came))
    levels = [received.seq for received in came if isinstance(received.event, Level)]
    assert levels == sorted(set(levels))


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (None, 'the first message must be {"token": TOKEN}; it asks for a token'),
        ("wrong", "401 Unauthorized; wrong token; check the token"),
    ],
)
async def test_a_token_is_asked_for(collect: Collect, token: str | None, says: str) -> None:
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": TOKEN}) as service:
        came = await collect(service.address, count(2), token=TOKEN)
        assert isinstance(came[0].event, Hello)
        with pytest.raises(ConfigError) as caught:
            await collect(service.address, count(1), token=token)
    assert str(caught.value) == f"ws://{service.address}/ws refuses: {says}"


async def test_a_certificate_is_trusted_by_its_authority_alone(collect: Collect, tmp_path: Path) -> None:
    authority, cert, key = trustme.CA(), tmp_path / "cert.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serve("--input", "demo", "--tls-cert", str(cert), "--tls-key", str(key)) as service:
        came = await collect(f"https://{service.address}/", count(1), ssl=trusting)
        assert isinstance(came[0].event, Hello)
        with pytest.raises(ConfigError, match=r"untrusted certificate \(.*\); name its CA in SSL_CERT_FILE"):
            await collect(f"https://{service.address}/", count(1))


async def test_refusals_that_pass_are_waited_out_longer_and_longer(collect: Collect, waits: list[int]) -> None:
    session = Session("aaaaaa")
    full = Act(closes=1013)
    busy = Act(status=HTTPStatus.SERVICE_UNAVAILABLE)
    hello = Act([session.hello(), *session.levels(1)], closes=1011)
    async with played(full, busy, hello, full, Act([session.hello()])) as analyzer:
        came = await collect(analyzer.url, lambda came: events(came).count("Hello") == 2)
    reasons = [received.event.reason for received in came if isinstance(received.event, Lost)]
    assert reasons == [
        "as the test wants",
        "server rejected WebSocket connection: HTTP 503",
        "as the test wants",
        "as the test wants",
    ]
    assert waits == [0, 1, 0, 1], "a line that greeted counts as one that was there"


async def test_nobody_there_is_told_until_somebody_is(collect: Collect, waits: list[int]) -> None:
    came = await collect(f"127.0.0.1:{free_port()}", count(3))
    assert [received.event for received in came] == [Lost("connection refused", 0.0)] * 3
    assert waits[:3] == [0, 1, 2]


@pytest.mark.parametrize(
    ("act", "token", "error", "says"),
    [
        (Act(status=HTTPStatus.UNAUTHORIZED), None, ConfigError, "401 Unauthorized; not now; it asks for a token"),
        (Act(status=HTTPStatus.UNAUTHORIZED), "s3cret", ConfigError, "401 Unauthorized; not now; check the token"),
        (Act(closes=1008), None, ConfigError, "as the test wants; it asks for a token"),
        (Act(status=HTTPStatus.FORBIDDEN), None, ConfigError, "403 Forbidden; not now"),
        (Act(status=HTTPStatus.NOT_FOUND), None, ConfigError, "404 Not Found; not now; is that a Stream Analyzer?"),
        (Act(status=HTTPStatus.BAD_REQUEST), None, ConfigError, "400 Bad Request; not now"),
        (Act(["ok"]), None, ProtocolError, "malformed message 'ok'"),
        (Act([b"\x01\x01"]), None, ProtocolError, "malformed frame"),
        (Act(['{"v": 2, "type": "hello"}']), None, ProtocolError, "protocol version 2, this client 1"),
        (Act(['{"v": 1, "type": "auth_required"}']), None, ProtocolError, "does not begin with hello"),
        (Act(Session("aaaaaa").levels(1)), None, ProtocolError, "does not begin with hello"),
    ],
)
async def test_what_another_attempt_cannot_mend_is_raised(
    collect: Collect, act: Act, token: str | None, error: type[StreamAnalyzerError], says: str
) -> None:
    async with played(act) as analyzer:
        with pytest.raises(error) as caught:
            await collect(analyzer.url, count(99), token=token)
    assert says in str(caught.value)
    assert analyzer.url in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert analyzer.tokens == [token and f"Bearer {token}"]


async def test_malformed_messages_are_left_out_and_told(collect: Collect, caplog: pytest.LogCaptureFixture) -> None:
    session = Session("aaaaaa")
    before, broken, after = session.levels(1), session.levels(3), session.levels(1)
    rubbish: list[str | bytes] = ["", "{", "[" * 100_000, b"", b"\x01\x01\x80", "\u266b" * 99]
    rubbish.append(broken[0].replace("-20.0", "NaN"))
    unknown: list[str | bytes] = ['{"v": 1, "type": "rumour"}', b"\x01\x02" + bytes(30)]
    async with played(Act([session.hello(), *before, *rubbish, *unknown, *after])) as analyzer:
        with caplog.at_level(logging.WARNING):
            came = await collect(analyzer.url, count(4))
    assert events(came) == ["Hello", "Level", "Gap level 3", "Level"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "raw", [b"\xff" * 200, b"\x81\x02\xc3\x28", b"\x82\x7f\x7f" + b"\xff" * 7, b"\x82\x7f" + (1 << 19).to_bytes(8)]
)
async def test_a_line_gone_mad_is_given_up_and_made_anew(collect: Collect, waits: list[int], raw: bytes) -> None:
    session = Session("aaaaaa")
    async with played(Act([session.hello()], raw=raw), Act([session.hello(), *session.levels(1)])) as analyzer:
        came = await collect(analyzer.url, count(4))
    assert events(came) == ["Hello", "Lost", "Hello", "Level"]
    assert waits == [0]


async def test_a_server_that_never_greets_is_given_up(collect: Collect, waits: list[int], hurry: Patience) -> None:
    async with played(Act()) as analyzer:
        came = await collect(analyzer.url, count(2), patience=replace(hurry, answer_s=0.2))
    assert [received.event for received in came] == [Lost("no answer in time", 0.0)] * 2
    assert waits[:2] == [0, 1]


async def test_a_slow_taker_holds_nobody_up_and_finds_the_newest() -> None:
    hasty = Patience(stale_s=-1.0)
    session = Session("aaaaaa")
    act = Act([session.hello(), *session.levels(20_000)], closes=1000)
    async with (
        asyncio.timeout(LIMIT_S),
        played(act) as analyzer,
        aclosing(subscribe(analyzer.url, patience=hasty)) as stream,
    ):
        hello, first = await anext(stream), await anext(stream)
        assert events([hello, first]) == ["Hello", "Level"]
        await analyzer.ended.wait()  # it got rid of everything though nobody took it
        came = [await anext(stream)]
        while not isinstance(came[-1].event, Lost):
            came.append(await anext(stream))
        taken = [received.seq for received in came if isinstance(received.event, Level)]
        missed = sum(received.event.missed or 0 for received in came if isinstance(received.event, Gap))
        assert taken[-1] == 20_000
        assert len(taken) < 100
        assert missed == 20_000 - first.seq - len(taken)
