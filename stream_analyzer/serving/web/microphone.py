"""Sound that comes in by a WebSocket: from a phone's page, `/mic`, to the input that waits for it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol, cast

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from stream_analyzer.errors import ProtocolError

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

    from stream_analyzer.serving.web.access import Access
    from stream_analyzer.serving.web.connection import GuardedConnection

logger = logging.getLogger(__name__)

PATH = "/sound"
BYTES_A_SECOND, FRAMES_A_SECOND = 1_000_000, 200  # stereo at 192 kHz, in pieces of 10 ms


class Hearing(Protocol):
    """What hears a phone."""

    def begin(self) -> bool:
        """Let a phone in, if none is there."""

    def take(self, data: bytes | str) -> None:
        """Hear a message; raise `ProtocolError` if it is no sound."""

    def end(self) -> None:
        """Let the phone go."""


async def hear(connection: ServerConnection, hearing: Hearing | None, access: Access, *, limit_s: float) -> None:
    """Take in what a phone sends until it leaves: first the key of the link to `/mic`, if one is needed."""
    try:
        if access.token:
            try:
                async with asyncio.timeout(limit_s):
                    known = access.judge_phone(await connection.recv())
            except TimeoutError:
                known = False
            if not known:
                await connection.close(CloseCode.POLICY_VIOLATION, 'the first message must be {"key": KEY}')
                return
        if hearing is None:
            await connection.close(
                CloseCode.POLICY_VIOLATION, "this analyzer hears no phone: start it with --input phone"
            )
            return
        if not hearing.begin():
            await connection.close(CloseCode.TRY_AGAIN_LATER, "another phone is heard; try again later")
            return
        cast("GuardedConnection", connection).allow(BYTES_A_SECOND, FRAMES_A_SECOND)
        try:
            await connection.send('{"type":"listening"}')
            async for message in connection:
                hearing.take(message)
        except ProtocolError as error:
            await connection.close(CloseCode.INVALID_DATA, str(error))
        finally:
            hearing.end()
    except ConnectionClosed as closed:
        logger.debug("phone %s left: %s", connection.remote_address, closed)
