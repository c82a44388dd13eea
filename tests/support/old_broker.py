"""Makes a broker an old one: a relay before it that knows MQTT 3.1.1 alone, and turns newer clients away."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LEVEL_AT = 6  # in the variable header of CONNECT, after the name of the protocol
_TOO_NEW = b"\x20\x02\x00\x01"


@asynccontextmanager
async def only_mqtt_3(port: int) -> AsyncIterator[int]:
    """Relay to the broker at ``port`` while the context lasts; gives the port to connect to."""
    relays: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind, length, shift = await reader.readexactly(1), 0, 0
        header = kind
        while True:
            byte = (await reader.readexactly(1))[0]
            header += bytes([byte])
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        body = await reader.readexactly(length)
        if body[_LEVEL_AT] > 4:
            writer.write(_TOO_NEW)
            writer.close()
            return
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", port)
        broker_writer.write(header + body)
        for source, sink in ((reader, broker_writer), (broker_reader, writer)):
            relays.add(asyncio.create_task(_relay(source, sink)))

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def _relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(4096):
            sink.write(data)
            await sink.drain()
    sink.close()
