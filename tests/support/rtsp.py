"""A camera or mixer that sends its sound by RTSP: 16-bit PCM in RTP packets, between the commands on one connection."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stream_analyzer.types import F32

RATE_HZ = 44_100
_L16_MONO = 11  # RFC 3551, payload type
_PACKET = 512  # samples
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    f"m=audio 0 RTP/AVP {_L16_MONO}\r\na=control:sound\r\n"
)


@asynccontextmanager
async def rtsp_server(sound: F32, *, speed: float = 1.0) -> AsyncIterator[str]:
    """Play ``sound`` [n] at 44.1 kHz to whoever connects; give the address."""
    samples = (np.clip(sound, -1, 1) * 32_767).astype(">i2")
    players: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, count = head.split()[0], head.lower().split("cseq:")[1].split()[0]
                body = _SDP if method == "DESCRIBE" else ""
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n" if method == "SETUP" else ""
                kind = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n" if body else ""
                writer.write(f"RTSP/1.0 200 OK\r\nCSeq: {count}\r\nSession: 1\r\n{more}{kind}\r\n{body}".encode())
                await writer.drain()
                if method == "PLAY":
                    players.add(asyncio.create_task(_play(samples.tobytes(), writer, speed)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/live"
    finally:
        server.close()
        for player in players:
            player.cancel()
        await asyncio.gather(*players, return_exceptions=True)


async def _play(data: bytes, writer: asyncio.StreamWriter, speed: float) -> None:
    loop = asyncio.get_running_loop()
    begun_s, size = loop.time(), 2 * _PACKET
    for number, at in enumerate(range(0, len(data), size)):
        header = struct.pack(">BBHII", 0x80, _L16_MONO, number % 65_536, number * _PACKET, 1)
        packet = header + data[at : at + size]
        writer.write(b"$\0" + struct.pack(">H", len(packet)) + packet)
        await writer.drain()
        await asyncio.sleep(begun_s + number * _PACKET / RATE_HZ / speed - loop.time())
