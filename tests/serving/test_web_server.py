"""One port for page and stream: files, headers, who may connect, who is let go."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.serving.hub import Hub
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.serving.web.server import Answer, Serving, WebServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


HELLO = Message("hello", json.dumps({"type": "hello"}))
SERVING = Serving("127.0.0.1", 0)
ANSWERS = {
    "/timeline": lambda _: Answer(b'{"v":1}', "application/json"),
    "/ready": lambda _: Answer(b"no", "text/plain", HTTPStatus.SERVICE_UNAVAILABLE),
}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("<title>page</title>")
    (folder / "deep" / "part.js").write_text("export {};")
    (folder / "notes.txt").write_text("not served")
    (tmp_path / "secret.html").write_text("outside")
    return folder


@asynccontextmanager
async def running(page: Path, serving: Serving | None = None) -> AsyncIterator[tuple[Hub, str]]:
    hub, fanout = Hub(HELLO), Fanout(Encoder("abcdef"))
    with hub.subscribe(fanout):
        async with WebServer({"main": fanout}, page, serving=serving or SERVING, answers=ANSWERS).listen() as url:
            yield hub, url


async def get(url: str, path: str) -> tuple[int, str, dict[str, str]]:
    return await fetch(Request(url.rstrip("/") + path))  # noqa: S310 - our own server


async def fetch(request: Request) -> tuple[int, str, dict[str, str]]:
    def blocking() -> tuple[int, str, dict[str, str]]:
        try:
            with urlopen(request, timeout=10) as response:  # noqa: S310 - our own server
                return response.status, response.read().decode(), dict(response.headers)
        except HTTPError as error:
            with error:
                return error.code, error.read().decode(), dict(error.headers)

    return await asyncio.to_thread(blocking)


async def test_files_are_served_with_their_type_and_strict_headers(page: Path) -> None:
    async with running(page) as (_, url):
        status, body, headers = await get(url, "/")
        assert (status, body, headers["Content-Type"]) == (200, "<title>page</title>", "text/html; charset=utf-8")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert (await get(url, "/?view=stage"))[0] == 200
        status, body, headers = await get(url, "/deep/part.js")
        assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")


@pytest.mark.parametrize(
    "path", ["/none", "/../secret.html", "/deep/../../secret.html", "/%2e%2e/secret.html", "/notes.txt"]
)
async def test_nothing_else_is_served(page: Path, path: str) -> None:
    async with running(page) as (_, url):
        assert (await get(url, path))[0] == 404


async def test_the_session_so_far_is_served_when_asked_for(page: Path) -> None:
    async with running(page) as (_, url):
        status, body, headers = await get(url, "/timeline")
        assert (status, body, headers["Content-Type"]) == (200, '{"v":1}', "application/json")
        assert headers["Cache-Control"] == "no-cache"


async def test_answers_are_made_on_request_with_their_status(page: Path) -> None:
    async with running(page) as (_, url):
        assert (await get(url, "/ready"))[:2] == (503, "no")


async def test_a_client_gets_messages_and_a_clean_end(page: Path) -> None:
    async with AsyncExitStack() as server:
        hub, url = await server.enter_async_context(running(page))
        async with connect(url.replace("http", "ws") + "ws") as socket:
            assert json.loads(await socket.recv()) == {"type": "hello"}
            await socket.send("what a client says is ignored")
            await socket.send(b"\x00\xff")
            hub.publish(Message("level", "loud"))
            assert await socket.recv() == "loud"
            hub.publish(Message("spectrum", b"\x01\x02"))
            assert await socket.recv() == b"\x01\x02"
            hub.publish(Message("status", "over"))
            hub.close()
            await server.aclose()
            assert await socket.recv() == "over"
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1001, "the source has ended")


async def test_only_this_page_may_connect(page: Path) -> None:
    async with running(page) as (_, url):
        stream = url.replace("http", "ws") + "ws"
        async with connect(stream, origin=f"http://{urlsplit(url).netloc}"):  # type: ignore[arg-type]
            pass
        with pytest.raises(InvalidStatus) as caught:
            async with connect(stream, origin="http://evil.example"):  # type: ignore[arg-type]
                pass
        assert caught.value.response.status_code == 403


async def test_another_name_for_this_machine_is_refused(page: Path) -> None:
    async with running(page) as (_, url):
        port = urlsplit(url).port
        for host, status in (("evil.example", 403), ("127.0.0.1.evil.example:1", 403), ("localhost", 200)):
            request = Request(url, headers={"Host": f"{host}:{port}"})  # noqa: S310 - our own server
            assert (await fetch(request))[0] == status


async def test_a_huge_message_closes_its_sender_alone(page: Path) -> None:
    async with running(page) as (hub, url):
        stream = url.replace("http", "ws") + "ws"
        async with connect(stream) as good, connect(stream) as bad:
            await good.recv()
            await bad.recv()
            await bad.send("x" * 100_000)
            with pytest.raises(ConnectionClosed) as caught:
                await bad.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009
            hub.publish(Message("level", "still here"))
            assert await good.recv() == "still here"


async def test_a_taken_port_is_a_clear_error(page: Path) -> None:
    async with running(page) as (_, url):
        port = urlsplit(url).port
        assert port
        with pytest.raises(ConfigError, match=f"can't serve on 127.0.0.1:{port}"):
            async with running(page, Serving("127.0.0.1", port)):
                pass


async def test_a_foreign_address_is_a_clear_error(page: Path) -> None:
    with pytest.raises(ConfigError, match="can't serve on"):
        async with running(page, Serving("host.invalid", 0)):
            pass
