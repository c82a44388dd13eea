"""Send the stream to a lighting desk or visuals by OSC: plain numbers and words, one UDP datagram a message.

docs/protocol.md lists addresses and arguments. UDP tells nobody whether it arrives. Names are looked up again and
again: they may be known later, and mean another address. A desk knows no sample clock, so each beat is sent when it
falls, as the one before foretold it. The only user of python-osc.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

from pythonosc.udp_client import SimpleUDPClient

from stream_analyzer.kinds import described_fields, is_sure
from stream_analyzer.protocol.clock import Beats
from stream_analyzer.protocol.encode import wire_value
from stream_analyzer.serving.hub import Newest
from stream_analyzer.system.backoff import backoff_s
from stream_analyzer.types import Beat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_analyzer.kinds import Description
    from stream_analyzer.protocol.encode import Event
    from stream_analyzer.serving.hub import Hub
    from stream_analyzer.system.address import OscReceiver

logger = logging.getLogger(__name__)

PREFIX = "/stream_analyzer"
_PAUSE_S = 0.05  # no address comes more than 20 times a second, however fast a file is analysed
_LOOK_UP_EVERY_S = 60.0
_MAPPED = "bpm"  # the address whose number goes to a receiver's own pattern

Arguments = tuple[float | int | str, ...]


class OscSink:
    """Sends to several receivers, each with its own pace, name and failures."""

    def __init__(self, receivers: Sequence[OscReceiver], *, input_name: str = "") -> None:
        """Send to ``receivers``, of several inputs with this one's name in the addresses; nothing is looked up yet."""
        prefix = "/".join(filter(None, (PREFIX, input_name)))
        self._receivers = [_Receiver(receiver, prefix) for receiver in receivers]

    async def follow(self, hub: Hub) -> None:
        """Send what ``hub`` gives until it closes."""
        async with asyncio.TaskGroup() as tasks:
            for receiver in self._receivers:
                tasks.create_task(receiver.follow(hub), name="send OSC")


class _Receiver:
    """One receiver. State: what its name means now, the socket to it, and what was said of it last."""

    def __init__(self, receiver: OscReceiver, prefix: str) -> None:
        self._receiver, self._prefix = receiver, prefix
        self._client: SimpleUDPClient | None = None
        self._host, self._trouble = "", ""

    async def follow(self, hub: Hub) -> None:
        """Send what ``hub`` gives until it closes; while the name is unknown it goes nowhere, as a datagram may."""
        try:
            with hub.subscribe(Newest()) as box:
                found = await self._look_up()
                async with asyncio.TaskGroup() as tasks:
                    looking = tasks.create_task(self._keep_looking(found=found), name="look up OSC receiver")
                    tasks.create_task(self._strike(hub), name="send OSC beats")
                    while messages := await box.take():
                        for message in messages:
                            if message.event is not None and not isinstance(message.event, Beat):
                                self._send_all(message.event)
                        await asyncio.sleep(_PAUSE_S)
                    looking.cancel()
        finally:
            if self._client:
                self._client.close()

    async def _strike(self, hub: Hub) -> None:
        """Send each beat when it falls, whatever else is sent and however seldom."""
        beats, loop = Beats(), asyncio.get_running_loop()
        with hub.subscribe(Newest("hello", "beat", "level", "status")) as box:
            while True:
                try:
                    async with asyncio.timeout_at(beats.due_s):
                        messages = await box.take()
                except TimeoutError:
                    due = [beats.strike()]
                else:
                    if not messages:
                        return
                    due = [beats.hear(message.event, loop.time()) for message in messages if message.event]
                for beat in filter(None, due):
                    self._send_all(beat)
                    await asyncio.sleep(_PAUSE_S)

    async def _keep_looking(self, *, found: bool) -> None:
        """Look for a name until it is known, and then whether it means another address."""
        attempt = 0
        while True:
            attempt = 0 if found else attempt + 1
            await asyncio.sleep(_LOOK_UP_EVERY_S if found else backoff_s(attempt))
            found = await self._look_up()

    async def _look_up(self) -> bool:
        receiver = self._receiver
        try:
            found = await asyncio.get_running_loop().getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            if not self._client:  # else what was found before may still be right
                self._tell(f"can't be found: {error.strerror}")
            return False
        self._connect(str(found[0][4][0]))
        return True

    def _connect(self, host: str) -> None:
        if host != self._host:
            before, self._host = self._client, host
            self._client = SimpleUDPClient(host, self._receiver.port, allow_broadcast=True)
            if before:
                before.close()
                logger.warning("OSC receiver %s is at %s now", self._receiver, host)

    def _send_all(self, event: Event) -> None:
        if not self._client:
            return
        for address, arguments in osc_messages(event):
            if not self._receiver.pattern:
                self._send(self._client, f"{self._prefix}/{address}", arguments)
            elif address == _MAPPED:
                self._send(self._client, self._receiver.pattern, (self._receiver.place(float(arguments[0])),))

    def _send(self, client: SimpleUDPClient, address: str, arguments: Arguments) -> None:
        try:
            client.send_message(address, arguments)
        except OSError as error:  # no route, no network, no room: the next may go
            self._tell(f"can't be reached: {error.strerror}")
        else:
            self._tell("")

    def _tell(self, trouble: str) -> None:
        """Log what is wrong, or that it no longer is, when that has changed."""
        if trouble != self._trouble:
            if trouble:
                logger.warning("OSC receiver %s %s; trying on", self._receiver, trouble)
            else:
                logger.warning("OSC receiver %s can be reached again", self._receiver)
        self._trouble = trouble


def osc_messages(event: Event) -> Iterator[tuple[str, Arguments]]:
    """Give the addresses, below the prefix, and the arguments of an event, as its fields are described."""
    described = described_fields(type(event))
    arguments = tuple(_argument(getattr(event, name), what) for name, _, what in described if what.osc)
    if arguments:
        yield event.KIND.name, arguments
    for name, _, what in described:
        if what.osc_alone and is_sure(event) and getattr(event, name) is not None:
            yield what.osc_alone, (_argument(getattr(event, name), what),)


def _argument(value: Any, what: Description) -> float | int | str:  # noqa: ANN401 - whatever a field holds
    """Return a field as OSC knows it: a number or a word; of a label with a probability the label."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float | int | str):
        number: float | int | str = wire_value(value, what)
        return number
    return str(getattr(value, "label", "")) if value is not None else what.osc_null
