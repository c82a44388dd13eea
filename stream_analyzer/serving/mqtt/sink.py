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
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from aiomqtt import MqttError, ProtocolVersion, Will

from stream_analyzer.kinds import ages
from stream_analyzer.serving.hub import Newest
from stream_analyzer.serving.mqtt.connection import Connection
from stream_analyzer.serving.mqtt.discovery import config_topic, discovery
from stream_analyzer.serving.mqtt.reasons import TIMED_OUT, TOO_NEW, why_away
from stream_analyzer.serving.mqtt.refusals import Refusals
from stream_analyzer.system.backoff import backoff_s
from stream_analyzer.types import EVENTS, Status

if TYPE_CHECKING:
    import ssl
    from collections.abc import Collection, Iterable

    from aiomqtt import Message as Received

    from stream_analyzer.kinds import Described
    from stream_analyzer.protocol.encode import Message
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


class MqttSink:
    """Publishes to one broker, and connects anew when it must.

    State: the connection and its protocol, what the broker refuses, and when a namesake was seen.
    """

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
        also: Collection[str] = (),
    ) -> None:
        """Publish ``events`` as ``node`` to the broker at ``address``, by TLS if given; nothing is connected yet.

        ``also`` names those of them that are published only where it is asked for.
        """
        self._address, self._node, self._tls = address, node, tls
        self._user, self._password = user or None, password or None
        self._base = f"stream-analyzer/{node}/v1"
        self._availability = f"{self._base}/availability"
        events = tuple(events)
        passing = {event.KIND.name for event in events if event.KIND.mqtt == "passing"}
        asked = {event.KIND.name for event in events if event.KIND.mqtt == "asked"}
        self._passing = frozenset(passing | (asked & set(also)))
        self._ageing = frozenset(event.KIND.name for event in events if event.KIND.mqtt == "retained" and ages(event))
        self._retained = frozenset(event.KIND.name for event in events if event.KIND.mqtt == "retained")
        self._every_s = {event.KIND.name: event.KIND.mqtt_every_s for event in events if event.KIND.mqtt_every_s}
        self._due_s: dict[str, float] = {}
        self._discovery = (
            discovery(node, base=self._base, availability=self._availability, prefix=discovery_prefix, events=events)
            if discovery_prefix
            else None
        )
        self._config = config_topic(node)
        self._birth = f"{discovery_prefix}/status" if discovery_prefix else ""
        self._protocol = ProtocolVersion.V5
        self._refusals = Refusals()
        self._sending = asyncio.Lock()
        self._under_way = ""
        self._taken: set[str] = set()
        self._reads_itself = False
        self._lost = False
        self._connected = False
        self._told = ""
        self._clash_until_s = 0.0

    def broker_state(self) -> BrokerState:
        """Tell how things stand with the broker."""
        if not self._connected:
            return "down"
        if time.monotonic() < self._clash_until_s:
            return "clash"
        return "refused" if str(self._refusals) else "up"

    def broker_refusal(self) -> str:
        """Tell which topic the broker refuses, and why."""
        return str(self._refusals) if self._connected else ""

    async def follow(self, hub: Hub) -> None:
        """Publish what ``hub`` gives until it closes, through any number of connections."""
        attempt = 0
        while True:
            begun_s = time.monotonic()
            client, greeted = self._client(), False
            try:
                async with client:
                    greeted = True
                    await self._publish(client, hub)
            except* MqttError as group:
                reason = why_away(group, greeted=greeted, parting=client.parting)
            else:
                return
            finally:
                self._connected = False
                client.retrieve()
            _heed_cancellation()
            if not greeted and self._try_another_version(reason):
                continue
            self._learn_from_break()
            self._tell(f"is away: {reason}; trying again", logging.WARNING)
            if time.monotonic() - begun_s > _STEADY_S:
                attempt = 0
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    def _try_another_version(self, reason: str) -> bool:
        """Speak the other version from now on if that may be the trouble; return whether it surely is."""
        newest, too_new = self._protocol is ProtocolVersion.V5, TOO_NEW in reason
        if too_new or TIMED_OUT in reason:  # some older brokers say nothing
            self._protocol = ProtocolVersion.V311 if newest else ProtocolVersion.V5
        return newest and too_new

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
            protocol=self._protocol,
            logger=logger.getChild("client"),
        )

    async def _publish(self, client: Connection, hub: Hub) -> None:
        """Publish from now on. The box begins with the last message of each kind, whatever was missed before."""
        with hub.subscribe(Newest("hello", *self._passing, *self._retained)) as box:
            (hello, *waiting) = await box.take()
            self._taken, self._lost = set(), False
            await self._subscribe(client)
            async with asyncio.TaskGroup() as tasks:
                watcher = tasks.create_task(self._watch(client, hello.session), name="watch own topics")
                try:
                    await self._introduce(client, {message.kind for message in waiting})
                    await self._pass_on(client, waiting)
                    while waiting := await box.take():
                        await self._pass_on(client, waiting)
                finally:
                    watcher.cancel()
                    client.timeout = _FAREWELL_S
                    with suppress(MqttError):  # then the broker says it: it holds the will
                        await client.offer(self._availability, OFFLINE, confirmed=True, retain=True)

    async def _pass_on(self, client: Connection, messages: list[Message]) -> None:
        """Publish what there is. Once the device is lost, what was heard of it is nobody's present any more."""
        states = [message.event.state for message in messages if isinstance(message.event, Status)]
        lost_before, self._lost = self._lost, states[-1] == "device_lost" if states else self._lost
        for message in messages:
            if message.kind == "hello" or (self._lost and message.kind in self._ageing):  # hello again: a new source
                continue
            if not self._due(message.kind):
                continue
            topic, keep = f"{self._base}/{message.kind}", message.kind in self._retained
            await self._send(client, topic, message.payload, keep=keep)
        if self._lost and not lost_before:
            for kind in self._ageing:
                await self._send(client, f"{self._base}/{kind}", "")

    def _due(self, kind: str) -> bool:
        """Tell whether a kind may go out now, and keep its pace."""
        now_s, every_s = time.monotonic(), self._every_s.get(kind)
        if every_s is None:
            return True
        if now_s < self._due_s.get(kind, now_s):
            return False
        self._due_s[kind] = now_s + every_s
        return True

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
        if self._refusals.leaves_out(topic):
            return
        async with self._sending:
            self._under_way = "" if topic in self._taken else topic
            refusal = await client.offer(topic, payload, confirmed=keep, retain=keep)
            self._under_way = ""
            self._taken.add(topic)
        if keep and self._refusals.answered(topic, refusal or self._unseen(topic)):
            self._tell_refusal(topic)
        if keep and payload and not refusal and self._reads_itself:
            self._refusals.wait_for_echo(topic)
        for missing in self._refusals.missing():
            self._tell_refusal(missing)
        _heed_cancellation()

    def _unseen(self, topic: str) -> str:
        """Return what was wrong with a topic where no answer says that it is right: before MQTT 5 only an echo does."""
        return self._refusals.reason(topic) if self._reads_itself else ""

    async def _subscribe(self, client: Connection) -> None:
        """Ask for our own topics: where a will that comes late and namesakes speak, and before MQTT 5 for echoes."""
        topics = {self._availability: 1, f"{self._base}/status": 0}
        if self._protocol is ProtocolVersion.V311:  # it has no reasons: only what comes back has been taken
            topics |= {f"{self._base}/{kind}": 1 for kind in self._retained}
            topics |= {self._discovery[0]: 1} if self._discovery else {}
        codes = await client.subscribe(list(topics.items()))
        refused = [topic for topic, code in zip(topics, codes, strict=True) if getattr(code, "is_failure", False)]
        self._reads_itself = self._protocol is ProtocolVersion.V311 and not refused
        if refused:
            logger.warning("MQTT broker %s lets nobody read %s; namesakes go unnoticed", self._address, refused[0])
        # What we retained under another prefix, and the birth of Home Assistant; where they can't be read, so be it.
        asked = [f"+/{self._config}", f"+/+/{self._config}", *([self._birth] if self._birth else [])]
        await client.subscribe([(topic, 1) for topic in asked])

    async def _watch(self, client: Connection, ours: str) -> None:
        """Follow our own topics."""
        status = f"{self._base}/status"
        async for message in client.messages:
            topic = message.topic.value
            if not message.retain and self._refusals.came_back(topic):
                self._tell_refusal(topic)
            if topic == self._availability:
                if message.payload == OFFLINE.encode():
                    await self._send(client, self._availability, ONLINE)
            elif topic == status and not message.retain and _session(message.payload) not in ("", ours):
                if self.broker_state() != "clash":
                    logger.warning("another analyzer publishes as node %s; give each a --node of its own", self._node)
                self._clash_until_s = time.monotonic() + _CLASH_S
            else:
                await self._serve_home_assistant(client, message)

    async def _serve_home_assistant(self, client: Connection, message: Received) -> None:
        """Introduce ourselves when it has started, and take back what we told it when we were set up otherwise."""
        topic, ours = message.topic.value, self._discovery[0] if self._discovery else ""
        if topic == self._birth and self._discovery:
            if message.payload == ONLINE.encode() and not message.retain:
                await self._send(client, *self._discovery)
        elif topic.endswith(f"/{self._config}") and topic != ours and message.payload:
            await self._send(client, topic, "")

    def _learn_from_break(self) -> None:
        """Leave out what broke the line, if one message did."""
        topic, self._under_way = self._under_way, ""
        if self._refusals.broke(topic):
            self._tell_refusal(topic)

    def _tell_refusal(self, topic: str) -> None:
        if reason := self._refusals.reason(topic):
            logger.warning("MQTT broker %s refuses %s: %s", self._address, topic, reason)
        else:
            logger.warning("MQTT broker %s takes %s again", self._address, topic)

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


def host_node() -> str:
    """Return this host's name as the name of a node."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname()).strip("-")[:64] or "analyzer"
