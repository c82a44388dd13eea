"""What stands in the room of `benchmarks.night`: a sound server, a deck that plays tracks, a broker, the service."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.pulse import RATE_HZ, Pulse, drum_loop
from tests.support.real_process import COMMAND, ROOT, Service, environment

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.mosquitto import Mosquitto
    from tests.support.played import Cable

TEMPI = (92.0, 104.0, 118.0, 124.0, 128.0, 136.0, 142.0)
TRACK_S = (60.0, 120.0)
RATES_HZ = (RATE_HZ, 48_000, 32_000, 96_000)
CC = shutil.which("cc")  # without a compiler no clock is stepped


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
    folder: Path
    service: Service | None = None

    def __post_init__(self) -> None:
        """Copy the models, which a fault changes, and let the wall clock be as it is."""
        shutil.copytree(ROOT / "models", self.models)
        self.set_clock(0)
        if CC:
            source, made = ROOT / "benchmarks" / "night_clock.c", self.folder / "clock.so"
            subprocess.run([CC, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(made), str(source)], check=True)

    @property
    def models(self) -> Path:
        """The folder of models that the service reads."""
        return self.folder / "models"

    @property
    def log(self) -> Path:
        """The set log."""
        return self.folder / "sets.sqlite"

    def set_clock(self, off_s: int) -> None:
        """Let the service's wall clock be off by so much from now on."""
        with (self.folder / "clock").open("r+b" if (self.folder / "clock").exists() else "wb") as clock:
            clock.write(off_s.to_bytes(8, sys.byteorder, signed=True))

    def start(self) -> None:
        """Start the service, as a supervisor does."""
        command = [*COMMAND, "run", "--port", str(self.port), "--input", "device", "--device", "pulse"]
        command += [
            "--mqtt",
            f"mqtt://127.0.0.1:{self.broker.port}",
            "--models",
            str(self.models),
            "--log",
            str(self.log),
        ]
        env = environment(self.pulse.env)
        if CC:
            env |= {"LD_PRELOAD": str(self.folder / "clock.so"), "NIGHT_CLOCK": str(self.folder / "clock")}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env, cwd=ROOT
        )
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
