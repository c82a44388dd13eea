"""The service as its users meet it: the real command in a process of its own, and a WebSocket client."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from websockets.asyncio.client import connect

from tests.support.collected import Collected, beside

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "stream_analyzer")
START_LIMIT_S = 30.0
END_LIMIT_S = 2.0
_URL = re.compile(r"https?://(\S+?)/")

Json = dict[str, Any]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without settings of the service, so that a test means what it says.

    Only the folder of the models stays, so that other models can be put through the same tests. No set is logged, for
    the log would go into the home of who tests.
    """
    foreign = {n for n in os.environ if n.startswith("STREAM_ANALYZER_")} - {"STREAM_ANALYZER_MODELS"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return kept | {"PYTHONPATH": str(ROOT), "STREAM_ANALYZER_LOG": "off"} | dict(extra or {})


def run_command(
    *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; ``stdin`` None is an empty input."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin or b"",
        capture_output=True,
        env=environment(env),
        cwd=cwd,
        timeout=60,
        check=False,
    )
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


class Service:
    """A running ``stream-analyzer run``. State: the process and what it has said on standard error."""

    def __init__(self, process: subprocess.Popen[bytes], said_on: IO[bytes] | None = None) -> None:
        """Follow ``process``, whose standard error is ``said_on`` or a pipe."""
        self.process = process
        self._said_on = said_on or process.stderr
        self.said: list[str] = []
        self.address = ""
        self._up = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._said_on
        with suppress(OSError, ValueError):  # the end of a terminal, and one that was closed meanwhile
            for raw in self._said_on:
                line = raw.decode(errors="replace").rstrip()
                self.said.append(line)
                if (found := _URL.search(line)) and not self.address:
                    self.address = found[1]
                    self._up.set()
        self._up.set()

    def wait_until_up(self) -> None:
        """Wait until it has told its address."""
        if not self._up.wait(START_LIMIT_S) or not self.address:
            msg = "the service did not start: " + " | ".join(self.said)
            raise AssertionError(msg)

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(by)
        code = self.process.wait(15.0)
        took_s = time.monotonic() - begun
        self._reader.join(5.0)
        return code, took_s

    @asynccontextmanager
    async def listen(self, *, query: str = "", **more: Any) -> AsyncIterator[Client]:
        """Connect a client as the page does."""
        async with Client.at(self.address, query, **more) as client:
            yield client


class Client(Collected[Json]):
    """Reads every message; the JSON ones are kept."""

    def __init__(self, socket: Any) -> None:
        """Read from ``socket``."""
        super().__init__()
        self._socket = socket

    @classmethod
    @asynccontextmanager
    async def at(cls, address: str, query: str = "", **more: Any) -> AsyncIterator[Client]:
        """Connect one to an analyzer."""
        async with connect(f"ws://{address}/ws{query}", max_queue=None, **more) as socket:
            client = cls(socket)
            async with beside(client.read()):
                yield client

    async def read(self) -> None:
        """Collect messages until the connection ends."""
        async for payload in self._socket:
            if isinstance(payload, str):
                self.put(json.loads(payload))

    async def send(self, text: str) -> None:
        """Say something to the analyzer."""
        await self._socket.send(text)

    def last(self, kind: str) -> Json:
        """Return the data of the newest message of a kind."""
        data: Json = next(m["data"] for m in reversed(self.messages) if m["type"] == kind)
        return data


@contextmanager
def serve(
    *arguments: str, env: Mapping[str, str] | None = None, stdin: Any = subprocess.DEVNULL, **more: Any
) -> Iterator[Service]:
    """Run the service on a free port while the context lasts; gives it when its page can be opened."""
    command = [*COMMAND, "run", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(env), cwd=ROOT, **more
    ) as process:
        try:
            service = Service(process)
            service.wait_until_up()
            yield service
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def on_terminal(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Run the service as a person does, with standard error on a terminal; it may end at once, with an error."""
    import pty  # Windows has none

    command = [*COMMAND, "run", "--port", "0", *arguments]
    ours, its = pty.openpty()
    with (
        os.fdopen(ours, "rb") as said_on,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=its, env=environment(env), cwd=ROOT
        ) as process,
    ):
        os.close(its)
        try:
            yield Service(process, said_on)
        finally:
            if process.poll() is None:
                process.kill()


def state_is(*states: str) -> Callable[[Json], bool]:
    """Return a test for a status message with one of these states."""
    return lambda message: message["type"] == "status" and message["data"]["state"] in states


def tempo_is(bpm: float, *, within: float = 0.04) -> Callable[[Json], bool]:
    """Return a test for a tempo message near ``bpm``."""
    return lambda message: message["type"] == "tempo" and abs(message["data"]["bpm"] / bpm - 1) <= within


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
