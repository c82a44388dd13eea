"""A real MQTT broker for tests: a private mosquitto on a free port, which can be killed, frozen and brought back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import asynccontextmanager, suppress
from typing import IO, TYPE_CHECKING, Self

from aiomqtt import Client, Message, MqttError

from tests.support.collected import Collected, beside

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

# Debian keeps servers out of the path of users.
PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
PASSWORD = "hunter2"  # noqa: S105 - made for the tests
_START_LIMIT_S = 20.0
_MARK = "end-of-what-was-kept"


def why_not() -> str:
    """Return why no broker can be run here, or nothing."""
    return "" if PROGRAM else "mosquitto missing (Debian: apt install mosquitto mosquitto-clients)"


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker that forgets all when it ends. State: its process."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Live in ``folder``; ``options`` are lines of its settings. Nothing is started yet."""
        self.port = free_port()
        self._settings = folder / "mosquitto.conf"
        # Started by root it would become a user who can't read the test's files.
        user = ["user root"] if os.geteuid() == 0 else []
        access = [] if any(line.startswith("allow_anonymous") for line in options) else ["allow_anonymous true"]
        lines = [*user, f"listener {self.port} 127.0.0.1", *access, *options, "log_dest stderr", "log_type all"]
        self._settings.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it says that it runs."""
        assert PROGRAM
        command = [PROGRAM, "-c", str(self._settings)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")
        assert self._process.stderr
        up, said = threading.Event(), list[str]()
        threading.Thread(target=_watch, args=(self._process.stderr, up, said), daemon=True).start()
        if not up.wait(_START_LIMIT_S) or self._process.poll() is not None:
            self.kill()
            msg = "mosquitto did not start: " + " | ".join(said[-5:])
            raise RuntimeError(msg)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """Take it away at once."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Let it hang: its connections stand, and nothing is answered."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.kill()

    @asynccontextmanager
    async def subscriber(
        self, topic: str = "#", *, user: str | None = None, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[Subscriber]:
        """Follow a topic while the context lasts; ``user`` has the `PASSWORD`."""
        password = PASSWORD if user else None
        async with Client("127.0.0.1", self.port, username=user, password=password, tls_context=tls) as client:
            await client.subscribe(topic, qos=1)
            subscriber = Subscriber(client)
            async with beside(subscriber.read()):
                yield subscriber


class Subscriber(Collected[Message]):
    """Reads what is published."""

    def __init__(self, client: Client) -> None:
        """Read by ``client``; what it says goes to the broker."""
        super().__init__()
        self.client = client

    async def read(self) -> None:
        """Collect messages until the broker goes."""
        with suppress(MqttError):
            async for message in self.client.messages:
                self.put(message)


async def kept(broker: Mosquitto) -> dict[str, str]:
    """Return what the broker gives to whoever comes late, by the last level of its topic."""
    async with broker.subscriber() as late:
        await late.client.publish(_MARK)
        at = await late.until(lambda message: message.topic.value == _MARK)
        return {m.topic.value.rpartition("/")[2]: text(m) for m in late.messages[: at - 1] if m.retain}


def says(topic: str, payload: str | None = None) -> Callable[[Message], bool]:
    """Return a test for a message whose topic ends so, with this payload if one is given, else with any."""

    def wanted(message: Message) -> bool:
        found = text(message)
        return message.topic.value.endswith(topic) and (found == payload if payload is not None else found != "")

    return wanted


def text(message: Message) -> str:
    """Return a message's payload as text."""
    assert isinstance(message.payload, bytes)
    return message.payload.decode(errors="replace")


def _watch(log: IO[str], up: threading.Event, said: list[str]) -> None:
    """Note what the broker says until it runs, then keep its pipe empty until it ends."""
    with log:
        for line in log:
            if not up.is_set():
                said.append(line.strip())
                if line.rstrip().endswith(" running"):
                    up.set()
    up.set()
