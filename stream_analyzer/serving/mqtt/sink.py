"""Publish the stream to an MQTT broker: the last message of each kind, and what Home Assistant needs to find it.

The broker may go and come at any time, and the analysis never waits for it: while it is away nothing is kept for it,
and on its return the last message of each kind is published again.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aiomqtt import MqttError, Will

from stream_analyzer.errors import ConfigError
from stream_analyzer.serving.hub import Newest
from stream_analyzer.serving.mqtt.connection import Connection
from stream_analyzer.serving.mqtt.discovery import discovery
from stream_analyzer.system.backoff import backoff_s
from stream_analyzer.types import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stream_analyzer.kinds import Described
    from stream_analyzer.serving.hub import Hub
    from stream_analyzer.system.address import MqttAddress
    from stream_analyzer.types import BrokerState

logger = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"
_STEADY_S = 10.0
_ANSWER_LIMIT_S = 5.0
_KEEP_ALIVE_S = 15
_FAREWELL_S = 0.5
_CLASH_S = 5.0
_SESSION = re.compile(r'"session": ?"([0-9a-f]{6})"')
_NOISE = re.compile(r"\[[^]]*\] ?| \(_ssl\.c:\d+\)")
_TIMED_OUT = "Operation timed out"
_HINTS = {
    "certificate verify failed": "is mqtt_ca the authority that signed the broker's certificate, for this name?",
    _TIMED_OUT: "does it speak TLS, and want a client certificate, or not?",
    "Not authorized": "check mqtt_user and mqtt_password",
    "Bad user": "check mqtt_user and mqtt_password",
    "refused": "is the broker running?",
}


class MqttSink:
    """Publishes to one broker, and connects anew when it must. State: the connection, and when a namesake was seen."""

    def __init__(
        self,
        address: MqttAddress,
        *,
        node: str,
        discovery_prefix: str | None,
        tls: ssl.SSLContext | None,
        user: str,
        password: str,
        events: Iterable[type[Described]] = EVENTS,
    ) -> None:
        """Publish ``events`` as ``node`` to the broker at ``address``, by TLS if given; nothing is connected yet."""
        self._address, self._node, self._tls = address, node, tls
        self._user, self._password = user or None, password or None
        self._base = f"stream-analyzer/{node}/v1"
        self._availability = f"{self._base}/availability"
        events = tuple(events)
        self._passing = frozenset(event.KIND.name for event in events if event.KIND.mqtt == "passing")
        self._retained = frozenset(event.KIND.name for event in events if event.KIND.mqtt == "retained")
        self._discovery = (
            discovery(node, base=self._base, availability=self._availability, prefix=discovery_prefix, events=events)
            if discovery_prefix
            else None
        )
        self._connected = False
        self._told = ""
        self._clash_until_s = 0.0

    def broker_state(self) -> BrokerState:
        """Tell how things stand with the broker."""
        if not self._connected:
            return "down"
        return "clash" if time.monotonic() < self._clash_until_s else "up"

    async def follow(self, hub: Hub) -> None:
        """Publish what ``hub`` gives until it closes, through any number of connections."""
        attempt = 0
        while True:
            begun_s = time.monotonic()
            client = self._client()
            try:
                async with client:
                    await self._publish(client, hub)
            except* MqttError as group:
                reason = _reason(group, broke=self._connected)
            else:
                return
            finally:
                self._connected = False
                client.retrieve()
            _heed_cancellation()
            self._tell(f"is away: {reason}; trying again", logging.WARNING)
            if time.monotonic() - begun_s > _STEADY_S:
                attempt = 0
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    def _client(self) -> Connection:
        return Connection(
            self._address.host,
            self._address.port,
            username=self._user,
            password=self._password,
            # Were it the node's name alone, two analyzers of one name would throw each other out for ever.
            identifier=f"stream-analyzer-{self._node}-{secrets.token_hex(4)}",
            will=Will(self._availability, OFFLINE, qos=1, retain=True),
            keepalive=_KEEP_ALIVE_S,
            timeout=_ANSWER_LIMIT_S,
            tls_context=self._tls,
            logger=logger.getChild("client"),
        )

    async def _publish(self, client: Connection, hub: Hub) -> None:
        """Publish from now on. The box begins with the last message of each kind, whatever was missed before."""
        with hub.subscribe(Newest("hello", *self._passing, *self._retained)) as box:
            (hello, *waiting) = await box.take()
            async with asyncio.TaskGroup() as tasks:
                watcher = tasks.create_task(self._watch(client, hello.session), name="watch own topics")
                try:
                    await self._introduce(client, {message.kind for message in waiting})
                    while True:
                        for message in waiting:
                            if message.kind == "hello":  # again: the source has changed
                                continue
                            topic, keep = f"{self._base}/{message.kind}", message.kind in self._retained
                            await self._send(client, topic, message.payload, keep=keep)
                        if not (waiting := await box.take()):
                            break
                finally:
                    watcher.cancel()
                    client.timeout = _FAREWELL_S
                    with suppress(MqttError):  # then the broker says it: it holds the will
                        await self._send(client, self._availability, OFFLINE)

    async def _introduce(self, client: Connection, known: set[str]) -> None:
        """Say who is here, and take back what an earlier session has left and this one does not know yet."""
        for kind in self._retained - known:
            await self._send(client, f"{self._base}/{kind}", "")
        if self._discovery:
            await self._send(client, *self._discovery)
        await self._send(client, self._availability, ONLINE)
        self._connected = True
        self._tell("is there", logging.WARNING if self._told else logging.INFO)

    async def _send(self, client: Connection, topic: str, payload: str | bytes, *, keep: bool = True) -> None:
        """Publish; what the broker keeps it confirms too, so that nothing piles up before one that hangs."""
        await client.publish(topic, payload, qos=int(keep), retain=keep)
        _heed_cancellation()

    async def _watch(self, client: Connection, ours: str) -> None:
        """Follow our own topics: a will that comes late, and a namesake, speak there too."""
        await client.subscribe([(self._availability, 1), (f"{self._base}/status", 0)])
        async for message in client.messages:
            if message.topic.value == self._availability:
                if message.payload == OFFLINE.encode():
                    await self._send(client, self._availability, ONLINE)
            elif not message.retain and _session(message.payload) not in ("", ours):
                if self.broker_state() != "clash":
                    logger.warning("another analyzer publishes as node %s; give each a --node of its own", self._node)
                self._clash_until_s = time.monotonic() + _CLASH_S

    def _tell(self, text: str, level: int) -> None:
        """Log how things stand, when that has changed."""
        if text != self._told:
            logger.log(level, "MQTT broker %s %s", self._address, text)
        self._told = text


def _heed_cancellation() -> None:
    """Raise a cancellation that was swallowed: by `wait_for` before Python 3.12 (gh-86296), or by another error."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def _session(payload: object) -> str:
    """Return the session that a message names. Anyone may publish anything here, so nothing more of it is looked at."""
    found = _SESSION.search(payload.decode(errors="replace") if isinstance(payload, bytes) else str(payload))
    return found[1] if found else ""


def _reason(group: ExceptionGroup[MqttError], *, broke: bool) -> str:
    """Say in a few words what is wrong and, for a connection that could not be made, what might help."""
    error: BaseException = group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    text = _NOISE.sub("", str(error)).rstrip(".")
    if broke:
        return text if _TIMED_OUT in text else "the connection broke"
    hint = next((hint for part, hint in _HINTS.items() if part in text), "")
    return f"{text} ({hint})" if hint else text


def tls_context(*, ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Return what a TLS connection is checked and, with a client certificate, introduced by.

    Raises
    ------
    ConfigError
        A file is no PEM certificate or key, or they don't belong together.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        msg = f"mqtt_ca = {str(ca)!r} can't be used: {_NOISE.sub('', str(error))}; it must hold PEM certificates"
        raise ConfigError(msg) from error
    if certificate:
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            what = f"mqtt_cert = {str(certificate)!r}" + (f", mqtt_key = {str(key)!r}" if key else "")
            reason = _NOISE.sub("", str(error))
            msg = f"{what} can't be used: {reason}; they must be PEM files that belong together, the key unencrypted"
            raise ConfigError(msg) from error
    return context


def _no_password() -> str:
    """Answer for the terminal, where OpenSSL would ask for a password and wait."""
    return ""


def host_node() -> str:
    """Return this host's name as the name of a node."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname()).strip("-")[:64] or "analyzer"
