"""Signals at any moment, readers that stall and clients that misbehave: a clean end, and no harm to anybody else."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stream_analyzer.system.resources import DEMO_FILE
from tests.support.real_process import COMMAND, END_LIMIT_S, environment, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def idle_pipe() -> Iterator[int]:
    """The reading end of a pipe into which nobody writes."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


@pytest.fixture
def flowing_pipe() -> Iterator[int]:
    """The reading end of a pipe into which silence flows for ever."""
    reading, writing = os.pipe()

    def write() -> None:
        try:
            while True:
                os.write(writing, bytes(8820))
        except BrokenPipeError:
            os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    yield reading
    os.close(reading)
    writer.join(10.0)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("source", ["demo", "file", "idle pipe", "flowing pipe"])
def test_signal_ends_it_cleanly_whatever_it_listens_to(
    request: pytest.FixtureRequest, source: str, by: signal.Signals
) -> None:
    stdin = request.getfixturevalue(source.replace(" ", "_")) if "pipe" in source else subprocess.DEVNULL
    wanted = {"demo": "demo", "file": str(DEMO_FILE)}.get(source, "-")
    with serve("--input", wanted, stdin=stdin) as service:
        code, took_s = service.end(by)
    assert (code, len(service.said)) == (0, 1), service.said
    assert took_s < END_LIMIT_S


def test_signal_ends_it_though_nobody_reads_its_output() -> None:
    command = [*COMMAND, "run", "--port", "0", "--input", "demo", "--speed", "0", "--json"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert b"http://" in process.stderr.readline()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(END_LIMIT_S) == 0
        assert process.stderr.read() == b""


TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NO_HANDSHAKES = (
    b"\0" * 500,
    b"\x16\x03\x01",
    b"POST / HTTP/1.1\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: x\r\n",
    b"GET /ws HTTP/1.1\r\nX: " + b"x" * (1 << 20),
    b"",
)


def shake_hands(address: str, *more: str) -> bytes:
    lines = ["GET /ws HTTP/1.1", f"Host: {address}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13", *more, "", ""]
    return "\r\n".join(lines).encode()


async def misbehave(address: str) -> None:
    """Do in the name of clients what none should: each line in turn is refused, cut or ignored."""
    url = f"ws://{address}/ws"
    for headers, origin in ((BEARER, "http://evil.example"), ({"Authorization": "Bearer wrong"}, None)):
        with pytest.raises(InvalidStatus):
            async with connect(url, additional_headers=headers, origin=origin):  # type: ignore[arg-type]
                pass
    for query in ("?types=rumour", "?hz=1e9", "?since=" + "9" * 4000):
        with pytest.raises(InvalidStatus):
            async with connect(url + query, additional_headers=BEARER):
                pass
    for said in ('{"token": "wrong"}', '{"play": "louder"}', "hello", b"\0" * 100):  # no token, but something else
        async with connect(url) as rude:
            await rude.send(said)
            with pytest.raises(ConnectionClosed):
                await rude.recv()
    huge = b"\x82\xff" + (100_000_000).to_bytes(8, "big") + bytes(100_000)
    for raw in (b"\xff" * 500, b"\x81\x82\0\0\0\0\xff\xfe", huge, b"\x89\x80\0\0\0\0" * 10_000):
        async with connect(url, additional_headers=BEARER) as rude:
            rude.transport.write(raw)
            with suppress(ConnectionClosed):
                while True:
                    await rude.recv()
    for _ in range(20):
        (await connect(url, additional_headers=BEARER)).transport.abort()


async def test_clients_that_misbehave_harm_nobody() -> None:
    env = {"STREAM_ANALYZER_TOKEN": TOKEN, "STREAM_ANALYZER_MAX_PER_ADDRESS": "40"}
    with serve("--input", "demo", "--log-level", "debug", env=env) as service:
        host, port = service.address.split(":")
        async with service.listen(additional_headers=BEARER) as good:
            sockets = [socket.create_connection((host, int(port))) for _ in range(20)]
            for taken, data in zip(sockets, NO_HANDSHAKES, strict=False):
                taken.settimeout(0.0)
                with suppress(OSError):
                    taken.send(data)
            for taken in sockets[len(NO_HANDSHAKES) :]:  # they say hello and then never read
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                taken.sendall(shake_hands(service.address, f"Authorization: Bearer {TOKEN}"))
            await misbehave(service.address)
            crowd = [socket.create_connection((host, int(port))) for _ in range(60)]  # more than an address may have
            request = Request(f"http://{service.address}/metrics", headers=BEARER)
            crowd[-1].settimeout(10.0)
            with suppress(ConnectionError):  # a request now might get the place of a line that is cut meanwhile
                assert await asyncio.to_thread(crowd[-1].recv, 1) == b"", "the last of them is cut off"
            for taken in crowd:
                taken.close()
            await good.until(lambda m: m["type"] == "status", limit_s=10.0, start=len(good.messages))
            metrics = await asyncio.to_thread(read_when_let, request)
            status = good.last("status")
            levels = [m["nth"] for m in good.messages if m["type"] == "level"]
            code, took_s = service.end()
        for taken in sockets:
            taken.close()
    assert len(levels) > 5
    assert levels == list(range(levels[0], levels[0] + len(levels))), "the good client missed nothing"
    assert (status["lost_s"], status["missed"]) == (0.0, 0)
    assert "stream_analyzer_audio_blocks_dropped_total 0.0" in metrics
    assert code == 0, service.said
    assert took_s < 2 * END_LIMIT_S, "none of them holds up the end; there is much to clear away"
    told = "\n".join([*service.said, metrics, *map(str, good.messages)])
    assert TOKEN not in told, "not even at log level debug"
    assert "Traceback" not in told


def read_when_let(request: Request) -> str:
    """Read an answer; as long as the crowd's lines are not all gone yet it is refused."""
    while True:
        with suppress(HTTPError, ConnectionError), urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
            return str(answer.read().decode())


async def test_who_serves_others_gets_a_token_that_lasts(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path)}
    tokens = set()
    for _ in range(2):
        with serve("--input", "demo", "--host", "0.0.0.0", env=env) as service:  # noqa: S104 - that is what is tested
            token = (tmp_path / "stream-analyzer" / "token").read_text()
            tokens.add(token)
            port = service.address.rsplit(":", maxsplit=1)[1]
            async with connect(
                f"ws://127.0.0.1:{port}/ws", additional_headers={"Authorization": f"Bearer {token}"}
            ) as c:
                assert json.loads(await c.recv())["type"] == "hello"
            async with connect(f"ws://127.0.0.1:{port}/ws") as stranger:
                await stranger.send("{}")
                with pytest.raises(ConnectionClosed):
                    await stranger.recv()
            assert service.end()[0] == 0
        assert len(service.said) == 1
        assert "login?token=TOKEN (" in service.said[0], "standard error is no terminal here"
        assert token not in service.said[0]
    assert len(tokens) == 1


@pytest.mark.parametrize(("path", "origin", "status"), [("//[", "", 404), ("/ws", "http://[", 403), ("/?x=[", "", 200)])
def test_malformed_addresses_are_answered(path: str, origin: str, status: int) -> None:
    with serve("--input", "demo") as service:
        host, port = service.address.split(":")
        with socket.create_connection((host, int(port))) as connection:
            sent = shake_hands(service.address).decode().replace("/ws", path).strip()
            connection.sendall(f"{sent}\r\nOrigin: {origin}\r\n\r\n".encode())
            assert connection.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("path", ["/../pyproject.toml", "/%2e%2e/pyproject.toml", "//etc/passwd", "/index.html/.."])
def test_nothing_but_the_page_is_served(path: str) -> None:
    with serve("--input", "demo") as service:
        host, port = service.address.split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {service.address}\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 404")
