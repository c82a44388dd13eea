"""What goes wrong in a night of `benchmarks.night`: each fault with what it does, for how long, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.pulse import Pulse, drum_loop
from tests.support.real_process import COMMAND, ROOT, Service, environment

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable

    from tests.support.mosquitto import Mosquitto
    from tests.support.played import Cable

TEMPI = (92.0, 104.0, 118.0, 124.0, 128.0, 136.0, 142.0)
TRACK_S = (60.0, 120.0)
_HOSTILE = "127.0.0.66"  # each address of this network is this machine, so a guest of his own has one of his own
_BUSY = "while True: pass"


class Room(Pulse):
    """A sound server that knows whether it is there. State: as its base, and that."""

    up = False

    def start(self) -> None:
        """Start it."""
        super().start()
        self.up = True

    def kill(self) -> None:
        """Take it away."""
        self.up = False
        super().kill()


class Deck:
    """Plays tracks of known tempo one after another. State: the tempo, whether it may change now, and the player."""

    def __init__(self, pulse: Room, rng: random.Random) -> None:
        """Play into ``pulse``."""
        self._pulse, self._rng = pulse, rng
        self._sound = {bpm: drum_loop(bpm, duration_s=TRACK_S[1], seed=1) for bpm in TEMPI}
        self.bpm = TEMPI[3]
        self.changes: list[Callable[[], None]] = []
        self.free = asyncio.Event()
        self.free.set()
        self._player: subprocess.Popen[bytes] | None = None

    def play(self) -> None:
        """Play the present track from its beginning, as after the sound server came back."""
        if self._player and self._player.poll() is None:
            self._player.kill()
        self._player = self._pulse.play(self._sound[self.bpm], name=f"{self.bpm:.0f}")

    async def turn(self) -> None:
        """Play one track after another for as long as the task lasts; none ends while a fault is looked after."""
        self.play()
        while True:
            await asyncio.sleep(self._rng.uniform(TRACK_S[0], TRACK_S[1] - 20.0))
            await self.free.wait()
            self.bpm = self._rng.choice([bpm for bpm in TEMPI if bpm != self.bpm])
            self.play()
            for told in self.changes:
                told()

    async def keep_on(self) -> None:
        """Begin a track anew that came to its end because a fault lasted."""
        while True:
            await asyncio.sleep(0.2)
            if self._player and self._player.poll() is not None and self._pulse.up:
                self.play()


@dataclass
class Scene:
    """All that can break. State: the service, which a restart replaces."""

    pulse: Room
    broker: Mosquitto
    cable: Cable
    deck: Deck
    port: int
    arguments: list[str]
    service: Service | None = None

    def start(self) -> None:
        """Start the service, as a supervisor does."""
        command = [*COMMAND, "run", "--port", str(self.port), *self.arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment(self.pulse.env), cwd=ROOT,
        )  # fmt: skip
        self.service = Service(process)
        self.service.wait_until_up()

    def end(self) -> None:
        """End it at once."""
        self.running.process.kill()

    @property
    def running(self) -> Service:
        """The service."""
        assert self.service  # noqa: S101 - the night begins with its start
        return self.service


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: for how long, and what it hurts (``sound``, ``line``: all lines to the service)."""

    name: str
    lasts_s: tuple[float, float]
    hurts: frozenset[str]
    strike: Any  # Callable[[Scene], AsyncContextManager[None]]


@asynccontextmanager
async def _device_gone(scene: Scene) -> AsyncIterator[None]:
    scene.pulse.kill()
    yield
    await asyncio.to_thread(scene.pulse.start)
    scene.deck.play()


@asynccontextmanager
async def _sound_server_hangs(scene: Scene) -> AsyncIterator[None]:
    scene.pulse.freeze()
    yield
    scene.pulse.thaw()


@asynccontextmanager
async def _broker_killed(scene: Scene) -> AsyncIterator[None]:
    scene.broker.kill()
    yield
    await asyncio.to_thread(scene.broker.start)


@asynccontextmanager
async def _broker_hangs(scene: Scene) -> AsyncIterator[None]:
    scene.broker.freeze()
    yield
    scene.broker.thaw()


@asynccontextmanager
async def _cable_cut(scene: Scene) -> AsyncIterator[None]:
    scene.cable.cut()
    yield


@asynccontextmanager
async def _processor_stolen(_scene: Scene) -> AsyncIterator[None]:
    thieves = [await asyncio.create_subprocess_exec(sys.executable, "-c", _BUSY) for _ in range(2)]
    try:
        yield
    finally:
        for thief in thieves:
            thief.kill()
            await thief.wait()


@asynccontextmanager
async def _service_stopped(scene: Scene) -> AsyncIterator[None]:
    """As a laptop does whose lid is closed for a moment."""
    scene.running.process.send_signal(signal.SIGSTOP)
    yield
    scene.running.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def _service_restarted(scene: Scene) -> AsyncIterator[None]:
    await asyncio.to_thread(scene.running.end, signal.SIGTERM)
    yield
    await asyncio.to_thread(scene.start)


@asynccontextmanager
async def _service_killed(scene: Scene) -> AsyncIterator[None]:
    await asyncio.to_thread(scene.running.end, signal.SIGKILL)
    yield
    await asyncio.to_thread(scene.start)


async def _rude(port: int, said: bytes, *, stay: bool) -> asyncio.StreamWriter | None:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_HOSTILE, 0))
        writer.write(said)
        with suppress(TimeoutError):
            await asyncio.wait_for(writer.drain(), 1.0)
        if stay:
            return writer
        writer.close()
    return None


@asynccontextmanager
async def _hostile_guests(scene: Scene) -> AsyncIterator[None]:
    """Half-open connections, floods, requests without end, handshakes that are none, and one who never reads."""
    key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
    hands = f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    said = [b"", b"\0" * 500, b"GET /ws HTTP/1.1\r\nX: " + b"x" * (1 << 18), b"POST /marks HTTP/1.1\r\n\r\n"]
    said += [hands, hands + b"\x89\x80\0\0\0\0" * 10_000, hands + b"\x82\xff" + (1 << 30).to_bytes(8, "big")]
    kept = [await _rude(scene.port, one, stay=number % 2 == 0) for number in range(20) for one in said]
    yield
    for writer in kept:
        if writer:
            writer.transport.abort()


@asynccontextmanager
async def _slow_guest(scene: Scene) -> AsyncIterator[None]:
    """One who asks for all and takes nothing: the service must close it and go on."""
    with socket.socket() as guest:
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        guest.connect(("127.0.0.1", scene.port))
        key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
        guest.sendall(f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        yield


_NOTHING: frozenset[str] = frozenset()
_SOUND, _LINE = frozenset({"sound"}), frozenset({"line"})
FAULTS = (
    Fault("device gone", (2.0, 15.0), _SOUND, _device_gone),
    Fault("sound server hangs", (2.0, 12.0), _SOUND, _sound_server_hangs),
    Fault("broker killed", (1.0, 20.0), _NOTHING, _broker_killed),
    Fault("broker hangs", (1.0, 30.0), _NOTHING, _broker_hangs),
    Fault("cable cut", (0.0, 1.0), _NOTHING, _cable_cut),
    Fault("processor stolen", (5.0, 20.0), _NOTHING, _processor_stolen),
    Fault("service stopped", (1.0, 8.0), _SOUND | _LINE, _service_stopped),
    Fault("service restarted", (0.0, 2.0), _SOUND | _LINE, _service_restarted),
    Fault("service killed", (0.0, 2.0), _SOUND | _LINE, _service_killed),
    Fault("hostile guests", (5.0, 15.0), _NOTHING, _hostile_guests),
    Fault("slow guest", (10.0, 30.0), _NOTHING, _slow_guest),
)
