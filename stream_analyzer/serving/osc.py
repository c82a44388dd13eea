"""Send the stream to a lighting desk or visuals by OSC: plain numbers and words, one UDP datagram a message.

docs/protocol.md lists addresses and arguments. UDP tells nobody whether it arrives. The only user of python-osc.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

from pythonosc.udp_client import SimpleUDPClient

from stream_analyzer.errors import ConfigError
from stream_analyzer.kinds import described_fields, is_sure
from stream_analyzer.protocol.encode import wire_value
from stream_analyzer.serving.hub import Newest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.kinds import Description
    from stream_analyzer.protocol.encode import Event
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
        with client, hub.subscribe(Newest()) as box:
            while messages := await box.take():
                for message in messages:
                    if message.event is not None:
                        for address, arguments in osc_messages(message.event):
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


def osc_messages(event: Event) -> Iterator[tuple[str, Arguments]]:
    """Give the addresses, below the prefix, and the arguments of an event, as its fields are described."""
    described = described_fields(type(event))
    arguments = tuple(_argument(getattr(event, name), what) for name, _, what in described if what.osc)
    if arguments:
        yield event.KIND.name, arguments
    for name, _, what in described:
        if what.osc_alone and is_sure(event):
            yield what.osc_alone, (_argument(getattr(event, name), what),)


def _argument(value: Any, what: Description) -> float | int | str:  # noqa: ANN401 - whatever a field holds
    """Return a field as OSC knows it: a number or a word; of a label with a probability the label."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float | int | str):
        number: float | int | str = wire_value(value, what)
        return number
    return str(getattr(value, "label", "")) if value is not None else ""
