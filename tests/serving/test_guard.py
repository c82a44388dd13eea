"""Who is let in and who is refused, by a real server on a real socket, while a good client's stream goes on."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.encode import Encoder, Message
from stream_analyzer.serving.web import connection as guard
from stream_analyzer.serving.web.access import COOKIE, Access
from stream_analyzer.serving.web.connection import allow_files, tls_context
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.serving.web.server import Answer, Serving, WebServer
from stream_analyzer.types import Level
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LISTED = "https://listed.example"
ANSWERS = {path: lambda _: Answer(b"private", "text/plain") for path in ("/timeline", "/metrics", "/health", "/ready")}
LIMIT_S = 30.0
HELLO = '{"type": "hello"}'
LEVEL = Level(0.0, -20.0, -3.0, clipping=False)


@dataclass(frozen=True)
class Tls:
    """A server's context, and that of a client which trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@asynccontextmanager
async def served(
    *, token: str = TOKEN, tls: Tls | None = None, per_address: int = 100, **limits: Any
) -> AsyncIterator[str]:
    """Serve a stream; a good client of it must get every single message while the test lasts."""
    access = Access(token, frozenset({LISTED}))
    serving = Serving(
        "127.0.0.1", 0, access=access, tls=tls.server if tls else None, max_per_address=per_address, **limits
    )
    fanout, encoder = Fanout(Encoder("abcdef")), Encoder("abcdef")
    fanout.put(Message("hello", HELLO))
    server = WebServer({"main": fanout}, ROOT / "web", serving=serving, answers=ANSWERS)
    async with asyncio.timeout(LIMIT_S), server.listen() as url:
        more: dict[str, Any] = {"ssl": tls.client} if tls else {}
        async with connect(stream_of(url), additional_headers=BEARER, **more) as good:
            assert await good.recv() == HELLO
            publishing = asyncio.create_task(publish(fanout, encoder))
            yield url
            publishing.cancel()
            await asyncio.wait({publishing})
            count = encoder.encode(LEVEL).seq - 1
            assert [json.loads(await good.recv())["seq"] for _ in range(count)] == list(range(1, count + 1))
            assert count > 0
            assert (fanout.counters.missed, fanout.counters.stalled) == (0, 0)


async def publish(fanout: Fanout, encoder: Encoder) -> None:
    while True:
        fanout.put(encoder.encode(LEVEL))
        await asyncio.sleep(0.005)


def stream_of(url: str, query: str = "") -> str:
    return url.replace("http", "ws", 1) + "ws" + query


async def ended(url: str, *says: str | bytes, raw: bytes = b"", **more: Any) -> tuple[int, str]:
    """Connect, say this, and return code and reason of the close; whatever comes before it is read."""
    async with connect(stream_of(url), **more) as client:
        for said in says:
            await client.send(said)
        client.transport.write(raw)
        with suppress(ConnectionClosed):
            while True:
                await client.recv()
    return client.close_code or 0, client.close_reason or ""


async def http(url: str, head: bytes, *, tls: ssl.SSLContext | None = None) -> bytes:
    """Send bytes and return all that comes back until the other side ends; empty if it just cuts the line."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=tls)
    answer = b""
    with suppress(ConnectionError):
        writer.write(head)
        await writer.drain()
        while more := await reader.read(65_536):
            answer += more
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()
    return answer


async def get(url: str, path: str, *headers: str, tls: ssl.SSLContext | None = None) -> tuple[int, dict[str, str]]:
    """Return status and headers of an answer."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", *headers, "", ""]
    head, _, _ = (await http(url, "\r\n".join(lines).encode(), tls=tls)).partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in rest)


async def refused(url: str, **more: Any) -> int:
    """Return the status by which a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with connect(stream_of(url), **more):
            pass
    return caught.value.response.status_code


async def test_three_ways_to_show_the_token() -> None:
    async with served() as url:
        cookie = (await get(url, f"/login?token={TOKEN}"))[1]["Set-Cookie"].split(";")[0]
        for headers in (BEARER, {"Cookie": cookie}):
            async with connect(stream_of(url), additional_headers=headers) as client:
                assert await client.recv() == HELLO
        async with connect(stream_of(url, "?types=level")) as client:
            await client.send(json.dumps({"token": TOKEN}))
            assert await client.recv() == HELLO
            assert json.loads(await client.recv())["type"] == "level"


@pytest.mark.parametrize(
    "message", ['{"token": "wrong"}', "{", "[]", '{"tokens": 1}', '{"subscribe": "tempo"}', b"\x00\xff", "", "[" * 4000]
)
async def test_a_first_message_that_is_no_token_ends_it(message: str | bytes) -> None:
    async with served() as url:
        assert await ended(url, message) == (1008, 'the first message must be {"token": TOKEN}')


async def test_text_that_is_none_ends_it() -> None:
    async with served() as url:
        code, _ = await ended(url, raw=b"\x81\x82\0\0\0\0\xff\xfe")
        assert code == 1007


async def test_who_shows_no_token_is_not_waited_for() -> None:
    async with served(token_limit_s=0.05) as url:
        assert (await ended(url))[0] == 1008


async def test_a_wrong_token_is_refused_at_the_door() -> None:
    async with served() as url:
        for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", TOKEN[:-1]):
            assert await refused(url, additional_headers={"Authorization": wrong}) == 401


async def test_what_is_private_and_what_is_not() -> None:
    async with served() as url:
        for path in ("/timeline", "/metrics"):
            status, headers = await get(url, path)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert (await get(url, path, f"Authorization: Bearer {TOKEN}"))[0] == 200
            assert (await get(url, path, "Authorization: Bearer wrong"))[0] == 401
        for path in ("/", "/page/main.js", "/health", "/ready"):
            assert (await get(url, path))[0] == 200
    async with served(token="") as url:
        assert (await get(url, "/timeline"))[0] == 200


async def test_the_login_link_leaves_no_token_in_the_address() -> None:
    async with served() as url:
        status, headers = await get(url, f"/login?token={TOKEN}")
        assert (status, headers["Location"], headers["Referrer-Policy"]) == (303, "./", "no-referrer")
        assert headers["Cache-Control"] == "no-store"
        assert TOKEN not in headers["Set-Cookie"]
        assert (await get(url, "/timeline", f"Cookie: {headers['Set-Cookie'].split(';')[0]}"))[0] == 200
        for wrong in ("", "?token=", "?token=wrong", f"?tok={TOKEN}", f"?token={TOKEN}&token={TOKEN}"):
            status, headers = await get(url, f"/login{wrong}")
            assert (status, "Set-Cookie" in headers) == (401, False)
        assert (await get(url, "/timeline", f"Cookie: {COOKIE}={TOKEN}"))[0] == 401


async def test_pages_of_other_origins() -> None:
    async with served() as url:
        for origin, headers in (("http://evil.example", BEARER), ("null", BEARER), (f"{LISTED}:1", BEARER)):
            assert await refused(url, origin=origin, additional_headers=headers) == 403
        assert (await get(url, "/ws", "Origin: http://a", "Origin: http://b"))[0] == 403
        async with connect(stream_of(url), origin=LISTED, additional_headers=BEARER) as client:  # type: ignore[arg-type]
            assert await client.recv() == HELLO
        assert (await get(url, "/page/main.js", f"Origin: {LISTED}"))[1]["Access-Control-Allow-Origin"] == LISTED
        assert "Access-Control-Allow-Origin" not in (await get(url, "/page/main.js", "Origin: http://evil.example"))[1]


async def test_a_huge_request_is_refused() -> None:
    async with served() as url:
        one_line = b"GET /ws HTTP/1.1\r\nX: " + b"x" * (1 << 20)
        many_lines = b"GET /ws HTTP/1.1\r\n" + b"X: " + b"x" * 100 + b"\r\n"
        for head in (one_line, many_lines * 10_000, b"x" * (1 << 20)):
            answer = await http(url, head)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
        assert (await http(url, b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n")).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("head", [b"", b"GET /ws HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01"])
async def test_a_handshake_that_is_never_finished_is_cut(head: bytes) -> None:
    async with served(open_limit_s=0.1) as url, asyncio.timeout(8.0):
        assert await http(url, head) == b""


async def test_a_frame_of_100_mb_is_not_waited_for() -> None:
    async with served() as url:
        huge = b"\x82\xff" + struct.pack("!Q", 100_000_000) + bytes(4) + bytes(200_000)
        code, _ = await ended(url, raw=huge, additional_headers=BEARER)
        assert code == 1009


@pytest.mark.parametrize("frame", [b"\x81\x82\0\0\0\0{}", b"\x89\x80\0\0\0\0", b"\x82\x80\0\0\0\0"])
async def test_a_flood_of_messages_is_cut(frame: bytes) -> None:
    async with served() as url, connect(stream_of(url), additional_headers=BEARER) as client:
        with suppress(ConnectionClosed, ConnectionError):
            while True:
                client.transport.write(frame * 100)
                await client.recv()
        assert client.close_code in (1008, 1006), "6: it was cut before it could be told"


@pytest.mark.parametrize("seed", range(10))
async def test_noise_before_and_after_the_handshake_harms_nobody(seed: int) -> None:
    noise = np.random.default_rng(seed)
    async with served() as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        await http(url, noise.bytes(3000) + b"\r\n\r\n")
        lines = ["GET /ws HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13"]
        lines += [f"Authorization: Bearer {TOKEN}", "", ""]
        for _ in range(5):
            reader, writer = await asyncio.open_connection(host, port)
            frame = bytes(noise.integers((0x80, 0x80), (0x90, 0xFE), dtype=np.uint8, endpoint=True))
            writer.write("\r\n".join(lines).encode() + frame + noise.bytes(3000))
            writer.write_eof()
            with suppress(ConnectionError):
                await reader.read()
            writer.close()


async def test_a_client_may_say_something_now_and_then() -> None:
    async with served() as url, connect(stream_of(url), additional_headers=BEARER) as client:
        await client.recv()
        for _ in range(guard._WINDOW_FRAMES // 2):
            await client.send('{"unknown": true}')
        await (await client.ping())
        assert json.loads(await client.recv())["type"] == "level"


async def test_too_many_from_one_address_are_refused() -> None:
    async with served(per_address=3) as url:  # one of them is the good client
        async with (
            connect(stream_of(url), additional_headers=BEARER),
            connect(stream_of(url), additional_headers=BEARER),
        ):
            assert await refused(url, additional_headers=BEARER) == 429
            assert (await get(url, "/"))[0] == 429
        async with connect(stream_of(url), additional_headers=BEARER) as client:
            assert await client.recv() == HELLO


async def test_of_a_burst_the_first_get_in() -> None:
    async with served(per_address=10) as url:  # one of them is the good client
        parts = urlsplit(url)
        lines = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(20)]
        ask = ["GET /ws HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade"]
        ask += ["Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Sec-WebSocket-Version: 13"]
        ask += [f"Authorization: Bearer {TOKEN}", "", ""]
        for _, writer in lines:  # all have connected before the first one asks
            writer.write("\r\n".join(ask).encode())
        said = [(await reader.readuntil(b"\r\n")).split()[1] for reader, _ in lines]
        assert sorted(said) == [b"101"] * 9 + [b"429"] * 11
        for _, writer in lines:
            writer.close()


async def test_all_ipv6_is_all_ipv4_too() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 that takes IPv4 here")
    server = WebServer({"main": Fanout(Encoder("abcdef"))}, ROOT / "web", serving=Serving("::", 0), answers=ANSWERS)
    async with server.listen() as url:
        for host in ("127.0.0.1", "[::1]"):
            assert (await get(f"http://{host}:{urlsplit(url).port}/", "/health"))[0] == 200


async def test_far_too_many_from_one_address_are_cut_off() -> None:
    async with served(per_address=1) as url:
        parts = urlsplit(url)
        lines = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(30)]
        cut = 0
        for reader, _ in lines:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    with suppress(ConnectionError):
                        await reader.read()
                    cut += 1
        assert cut == 30 - 16
        for _, writer in lines:
            writer.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA, tmp_path: Path) -> Tls:
    issued = authority.issue_cert("127.0.0.1", "localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Tls(tls_context(cert, key), client)


async def test_page_and_stream_by_tls(tls: Tls) -> None:
    async with served(tls=tls) as url:
        assert url.startswith("https://127.0.0.1:")
        status, headers = await get(url, f"/login?token={TOKEN}", tls=tls.client)
        assert status == 303
        assert "; Secure" in headers["Set-Cookie"]
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(stream_of(url), additional_headers=BEARER)
        assert await http(url, b"GET / HTTP/1.1\r\n\r\n") == b"", "who does not speak TLS gets nothing"
        old = ssl.create_default_context()
        with pytest.warns(DeprecationWarning, match="deprecated"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await http(url, b"", tls=old)


async def test_a_tls_handshake_that_is_never_finished_is_cut(tls: Tls) -> None:
    async with served(tls=tls, open_limit_s=0.5) as url, asyncio.timeout(8.0):
        assert await http(url, b"\x16\x03\x01") == b""


def test_unusable_certificates_are_one_line(authority: trustme.CA, tmp_path: Path) -> None:
    one, other = authority.issue_cert("a.example"), authority.issue_cert("b.example")
    cert, key, locked, text = (tmp_path / name for name in ("cert.pem", "key.pem", "locked.pem", "text.pem"))
    cert.write_bytes(one.cert_chain_pems[0].bytes())
    key.write_bytes(other.private_key_pem.bytes())
    text.write_text("no certificate")
    private = serialization.load_pem_private_key(one.private_key_pem.bytes(), None)
    locked.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    for pair in ((cert, key), (cert, locked), (text, text), (cert, tmp_path), (tmp_path / "none", key)):
        with pytest.raises(ConfigError, match=r"can't use tls_cert = .* with tls_key = .*; both must be PEM") as caught:
            tls_context(*pair)
        assert "\n" not in str(caught.value)


def test_open_files_are_allowed_as_far_as_the_system_lets(caplog: pytest.LogCaptureFixture) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        allow_files(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300
        if hard != resource.RLIM_INFINITY:
            allow_files(hard + 1)
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
            assert f"raise ulimit -n to {hard + 1}" in caplog.text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
