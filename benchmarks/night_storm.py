"""What goes wrong in a night of `benchmarks.night`: each fault with what it does, for how long, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.night_scene import CC, RATES_HZ
from tests.support.other_models import rename

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmarks.night_scene import Scene

_HOSTILE = "127.0.0.66"  # each address of this network is this machine, so a guest of his own has one of his own
_BUSY = "while True: pass"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, for how long, and what it hurts: ``sound``, all lines (``line``) or ``far line``."""

    name: str
    lasts_s: tuple[float, float]
    hurts: frozenset[str]
    strike: Any  # Callable[[Scene], AsyncContextManager[None]]
    takes_memory: bool = False  # of a process that begins anew


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


@asynccontextmanager
async def _other_rate(scene: Scene) -> AsyncIterator[None]:
    """As when another interface is plugged in."""
    scene.pulse.kill()
    scene.pulse.rate_hz = RATES_HZ[(RATES_HZ.index(scene.pulse.rate_hz) + 1) % len(RATES_HZ)]
    yield
    await asyncio.to_thread(scene.pulse.start)
    scene.deck.play()


@asynccontextmanager
async def _cable_dead(scene: Scene) -> AsyncIterator[None]:
    """Carry nothing and tell nobody, as where a phone leaves the Wi-Fi."""
    scene.cable.carries.clear()
    yield
    scene.cable.carries.set()


@asynccontextmanager
async def _disk_full(scene: Scene) -> AsyncIterator[None]:
    """Let no file of the service grow."""
    psutil.Process(scene.running.process.pid).rlimit(psutil.RLIMIT_FSIZE, (1, psutil.RLIM_INFINITY))
    yield
    psutil.Process(scene.running.process.pid).rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


@asynccontextmanager
async def _clock_stepped(scene: Scene) -> AsyncIterator[None]:
    """Put the wall clock two hours back and then where it was, as when a laptop finds its time server."""
    scene.set_clock(-7200)
    yield
    scene.set_clock(0)


@asynccontextmanager
async def _models_swapped(scene: Scene) -> AsyncIterator[None]:
    """Give the service another version of the tempo's model: the same network by another name."""
    rename(scene.models, f"9.{int(time.monotonic())}", task="tempo")
    scene.running.process.send_signal(signal.SIGHUP)
    yield


@asynccontextmanager
async def _models_broken(scene: Scene) -> AsyncIterator[None]:
    """Let it find a model that was copied by half: it is refused, and the models before go on."""
    model = scene.models / "genre" / "model.tflite"
    good = model.read_bytes()
    model.write_bytes(good[: len(good) // 2])
    scene.running.process.send_signal(signal.SIGHUP)
    yield
    model.write_bytes(good)


_NOTHING: frozenset[str] = frozenset()
_SOUND, _LINE, _FAR = frozenset({"sound"}), frozenset({"line"}), frozenset({"far line"})
FAULTS = (
    Fault("device gone", (2.0, 15.0), _SOUND, _device_gone),
    Fault("sound server hangs", (2.0, 12.0), _SOUND, _sound_server_hangs),
    Fault("broker killed", (1.0, 20.0), _NOTHING, _broker_killed),
    Fault("broker hangs", (1.0, 30.0), _NOTHING, _broker_hangs),
    Fault("cable cut", (0.0, 1.0), _NOTHING, _cable_cut),
    Fault("processor stolen", (5.0, 20.0), _NOTHING, _processor_stolen),
    Fault("service stopped", (1.0, 8.0), _SOUND | _LINE, _service_stopped),
    Fault("service restarted", (0.0, 2.0), _SOUND | _LINE, _service_restarted, takes_memory=True),
    Fault("service killed", (0.0, 2.0), _SOUND | _LINE, _service_killed, takes_memory=True),
    Fault("other rate", (1.0, 3.0), _SOUND, _other_rate),
    Fault("cable dead", (5.0, 30.0), _FAR, _cable_dead),
    Fault("disk full", (5.0, 20.0), _NOTHING, _disk_full),
    *([Fault("clock stepped", (5.0, 20.0), _NOTHING, _clock_stepped)] if CC else []),
    Fault("models swapped", (5.0, 10.0), _NOTHING, _models_swapped),
    Fault("models broken", (5.0, 10.0), _NOTHING, _models_broken),
    Fault("hostile guests", (5.0, 15.0), _NOTHING, _hostile_guests),
    Fault("slow guest", (10.0, 30.0), _NOTHING, _slow_guest),
)
