"""POST /marks: who may mark, what of, and that everybody hears of it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from websockets.asyncio.client import connect

from stream_analyzer.cli import main
from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.publisher import Publisher
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.web.access import Access
from stream_analyzer.serving.web.changes import LONGEST, marked
from stream_analyzer.serving.web.fanout import Counters, Fanout
from stream_analyzer.serving.web.server import Serving, WebServer
from stream_analyzer.sets.recorder import Recorder
from stream_analyzer.sound.queue import BlockQueue
from stream_analyzer.types import Level
from tests.support.nights import opening
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
LISTED = "https://listed.example"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def analyzer(*, token: str = TOKEN) -> AsyncIterator[str]:
    """Serve a stream that is at 12.3 s."""
    encoder = Encoder("abcdef")
    hub, fanout = Hub(Message("hello", "{}")), Fanout(encoder)
    publisher = Publisher(BlockQueue(), hub, encoder, Recorder(None, opening()), Counters(), broker=lambda: "none")
    publisher.publish([Level(12.3, -20.0, -3.0, clipping=False)])
    serving = Serving("127.0.0.1", 0, access=Access(token, frozenset({LISTED})))
    routes = {("POST", "/marks"): partial(marked, {"main": publisher})}
    server = WebServer({"main": fanout}, ROOT / "web", serving=serving, answers={}, routes=routes)
    with hub.subscribe(fanout):
        async with server.listen() as url:
            yield url


async def post(url: str, path: str, *, method: str = "POST", **headers: str) -> tuple[int, str]:
    def blocking() -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urlopen(Request(url + path, method=method, headers=named), timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(blocking)


async def test_a_mark_is_told_to_everybody() -> None:
    async with analyzer() as url, connect(url.replace("http", "ws") + "ws", additional_headers=BEARER) as client:
        await client.recv()
        status, body = await post(url, "marks?text=last%20song", **BEARER)
        assert (status, json.loads(body)) == (200, {"time_s": 12.3, "text": "last song"})
        message = await client.recv()
        while json.loads(message)["type"] != "mark":
            message = await client.recv()
        assert json.loads(message)["data"] == {"text": "last song"}
        assert json.loads(message)["time_s"] == 12.3


async def test_the_token_is_asked_for() -> None:
    async with analyzer() as url:
        assert (await post(url, "marks"))[0] == 401
        assert (await post(url, "marks", Authorization="Bearer wrong"))[0] == 401
        assert (await post(url, "marks", Cookie=f"stream_analyzer={Access(TOKEN).cookie}"))[0] == 200


@pytest.mark.parametrize("token", ["", TOKEN])
async def test_no_page_but_this_servers_own_may_mark(token: str) -> None:
    async with analyzer(token=token) as url:
        shown = BEARER if token else {}
        for origin in ("https://evil.example", LISTED, "null"):
            assert (await post(url, "marks", Origin=origin, **shown))[0] == 403
        assert (await post(url, "marks", Origin=f"http://{urlsplit(url).netloc}", **shown))[0] == 200
        assert (await post(url, "marks", Host="evil.example", **shown))[0] == 403


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (f"marks?text={'x' * (LONGEST + 1)}", "POST", 400), ("marks?text=%1b[2J", "POST", 400),
        ("marks?at=3", "POST", 400), ("marks?input=roof", "POST", 400),
        ("marks?" + "&" * 30, "POST", 400), ("marks", "GET", 404), ("", "POST", 404),
        ("ws", "POST", 405), ("health", "POST", 404),
    ],
)  # fmt: skip
async def test_what_is_asked_wrong_is_refused(path: str, method: str, status: int) -> None:
    async with analyzer() as url:
        assert (await post(url, path, method=method, **BEARER))[0] == status


async def test_the_command_marks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with analyzer() as url:
        monkeypatch.setenv("STREAM_ANALYZER_TOKEN", TOKEN)
        assert await asyncio.to_thread(main, ["mark", "encore", "--url", url]) == 0
        assert "marked at 0:00:12" in capsys.readouterr().err
        monkeypatch.setenv("STREAM_ANALYZER_TOKEN", TOKEN[::-1])
        assert await asyncio.to_thread(main, ["mark", "--url", url]) == 2
        assert "401" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["mark", "--url", url]) == 2
    assert "is the analyzer running?" in capsys.readouterr().err
