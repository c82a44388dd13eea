"""One connection to a broker that keeps what the broker says: why it takes a message or does not, and why it left.

aiomqtt throws the reasons of MQTT 5 away, and waits for an answer although the line has gone; its callbacks are
private, and overridden here alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from aiomqtt import Client, MqttError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from paho.mqtt.client import Client as PahoClient
    from paho.mqtt.client import ConnectFlags, DisconnectFlags
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

T = TypeVar("T")

_PACKET_EXTRA = 16  # bytes around topic and payload, at most


class Connection(Client):
    """State: the largest packet that the broker takes, why it refused the last message, and what it said on leaving."""

    largest_packet: int | None = None
    refusal = ""
    parting = ""

    async def offer(self, topic: str, payload: str | bytes, *, confirmed: bool, retain: bool) -> str:
        """Publish; return why the broker does not take it, or nothing. One at a time, or the answers are mixed up."""
        size = len(topic.encode()) + len(payload) + _PACKET_EXTRA
        if self.largest_packet is not None and size > self.largest_packet:
            return f"the broker takes at most {self.largest_packet} bytes, and this has {size}"
        self.refusal = ""
        await self.publish(topic, payload, qos=int(confirmed), retain=retain)
        return self.refusal

    def retrieve(self) -> str:
        """Return why the line went, if it went by itself; asyncio prints a traceback of what nobody has looked at."""
        for future in (self._disconnected, self._connected):
            if future.done() and not future.cancelled() and (error := future.exception()):
                return str(error)
        return ""

    async def _wait_for(self, fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109 - aiomqtt's
        """Wait for an answer, no longer than there is a line."""
        waiting = asyncio.ensure_future(super()._wait_for(fut, timeout))
        try:
            both: set[asyncio.Future[Any]] = {waiting, self._disconnected}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and (reason := self.retrieve()):
                raise MqttError(reason)
            return await waiting
        finally:
            waiting.cancel()

    def _on_connect(
        self,
        client: PahoClient,
        userdata: Any,  # noqa: ANN401
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.largest_packet = getattr(properties, "MaximumPacketSize", None)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_publish(
        self,
        client: PahoClient,
        userdata: Any,  # noqa: ANN401
        mid: int,
        reason_code: ReasonCode,
        properties: Properties,
    ) -> None:
        if reason_code.is_failure:
            self.refusal = str(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_disconnect(
        self,
        client: PahoClient,
        userdata: Any,  # noqa: ANN401
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.parting = str(reason_code)
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_socket_register_write(
        self,
        client: PahoClient,
        userdata: Any,  # noqa: ANN401, ARG002
        sock: Any,  # noqa: ANN401
    ) -> None:
        """Wait until the socket can be written to, if it is still open: a process that was stopped finds it closed."""

        def write() -> None:
            try:
                client.loop_write()
            except OSError as error:
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        def register() -> None:
            if sock.fileno() >= 0:
                self._loop.add_writer(sock.fileno(), write)

        self._loop.call_soon_threadsafe(register)
