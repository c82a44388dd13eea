"""Send the stream to a lighting desk or visuals by OSC: plain numbers and words, one UDP datagram a message.

docs/protocol.md lists addresses and arguments. UDP tells nobody whether it arrives. The only user of python-osc.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

from pythonosc.udp_client import SimpleUDPClient

from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.decode import decode
from stream_analyzer.serving.hub import Newest
from stream_analyzer.types import Genre, Level, Status, Tempo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.protocol.decode import WireEvent
    from stream_analyzer.serving.hub import Hub
    from stream_analyzer.system.address import Address

logger = logging.getLogger(__name__)

PREFIX = "/stream_analyzer"
_PAUSE_S = 0.05  # no address comes more than 20 times a second, however fast a file is analysed

Arguments = tuple[float | int | str, ...]


class OscSink:
    """Sends to one receiver. State: whether sending fails."""

    def __init__(self, receiver: Address) -> None:
        """Send to ``receiver``, whose name is looked up here, once. Raises `ConfigError` if it can't be found."""
        try:
            found = socket.getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            msg = f"osc = {receiver}: {error.strerror}; write its number, like 192.168.1.20:{receiver.port}"
            raise ConfigError(msg) from error
        self._receiver, self._host = receiver, str(found[0][4][0])
        self._failing = False

    async def follow(self, hub: Hub) -> None:
        """Send what ``hub`` gives until it closes."""
        client = SimpleUDPClient(self._host, self._receiver.port, allow_broadcast=True)
        with client, hub.subscribe(Newest("tempo", "genre", "level", "status")) as box:
            while messages := await box.take():
                for message in messages:
                    if envelope := decode(message.payload):
                        for address, arguments in osc_messages(envelope.event):
                            self._send(client, f"{PREFIX}/{address}", arguments)
                await asyncio.sleep(_PAUSE_S)

    def _send(self, client: SimpleUDPClient, address: str, arguments: Arguments) -> None:
        try:
            client.send_message(address, arguments)
        except OSError as error:  # no route, no network, no room: the next may go
            if not self._failing:
                logger.warning("OSC can't be sent to %s: %s; trying on", self._receiver, error.strerror)
            self._failing = True
        else:
            if self._failing:
                logger.warning("OSC can be sent to %s again", self._receiver)
            self._failing = False


def osc_messages(event: WireEvent) -> Iterator[tuple[str, Arguments]]:
    """Give the addresses, below the prefix, and the arguments of an event."""
    match event:
        case Tempo():
            yield "tempo", (event.bpm, event.confidence, event.state, event.age_s)
            if event.state == "locked":
                yield "bpm", (event.bpm,)
        case Genre():
            sub_genre = event.sub_genre.label if event.sub_genre else ""
            yield "genre", (event.label or "", event.confidence, event.state, event.age_s, sub_genre)
        case Level():
            yield "level", (event.rms_dbfs, event.peak_dbfs, int(event.clipping))
        case Status():
            yield "status", (event.state, event.detail)
