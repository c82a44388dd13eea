"""Signals at any moment, readers that stall and clients that misbehave: a clean end, and no harm to anybody else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from stream_analyzer.resources import DEMO_FILE
from tests.real_process import COMMAND, END_LIMIT_S, environment, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


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


NO_HANDSHAKES = (b"\0" * 500, b"\x16\x03\x01", b"POST / HTTP/1.1\r\n\r\n", b"")


def shake_hands(address: str) -> bytes:
    lines = ["GET /ws HTTP/1.1", f"Host: {address}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13", "", ""]
    return "\r\n".join(lines).encode()


async def test_clients_that_misbehave_harm_nobody() -> None:
    with serve("--input", "demo") as service:
        host, port = service.address.split(":")
        async with service.listen() as good:
            sockets = [socket.create_connection((host, int(port))) for _ in range(12)]
            for taken, data in zip(sockets, NO_HANDSHAKES, strict=False):
                taken.sendall(data)
            for taken in sockets[4:]:  # they say hello and then never read
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                taken.sendall(shake_hands(service.address))
            for payload in ("hello", b"\0" * 100, "x" * 100_000):
                async with connect(f"ws://{service.address}/ws") as rude:
                    await rude.send(payload)
                    await rude.recv()
            async with connect(f"ws://{service.address}/ws") as rude:
                rude.transport.write(b"\xff" * 500)
                async with asyncio.timeout(5.0):
                    with suppress(ConnectionClosed):
                        while True:
                            await rude.recv()
            for _ in range(20):
                (await connect(f"ws://{service.address}/ws")).transport.abort()
            await good.until(lambda m: m["type"] == "level", limit_s=5.0, start=len(good.messages))
            await good.until(lambda m: m["type"] == "status", limit_s=5.0, start=len(good.messages))
            assert good.last("status")["lag_s"] < 1.0
            code, took_s = service.end()
        for taken in sockets:
            taken.close()
    assert (code, len(service.said)) == (0, 1), service.said
    assert took_s < END_LIMIT_S


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
