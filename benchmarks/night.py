"""A night in a club, with all that goes wrong in one: ``python -m benchmarks.night --hours 2 --seed 1``.

The real process hears a real PulseAudio, in which tracks of known tempo follow one another; a mosquitto, a browser,
Python and Node clients listen. A storm of faults, drawn by the seed, breaks one thing after another. Each second is
held to what may never be: an event out of order, a stale value that is called good, a sample clock that is off, a
subscriber that does not come back, memory or files that grow. The tempo must be right again 10 s after each fault.

    Deck (sound) -> PulseAudio -> stream-analyzer -> Listener, Program, House (MQTT), Screen (Chromium)
                        ^ Fault ----^------^--------- ^

What it can't do here: pull a real cable, fill a real disk (the service's files may not grow), step the machine's own
clock (that of the service alone is stepped, where there is a C compiler).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from playwright.async_api import async_playwright

from benchmarks.night_scene import Deck, Room, Scene
from benchmarks.night_storm import FAULTS
from benchmarks.night_watch import COMES_BACK_S, Broken, House, Listener, Program, Screen
from stream_analyzer.sets.database import open_for_reading
from stream_analyzer.sets.reading import list_sets, read_night
from tests.support import chromium
from tests.support.mosquitto import Mosquitto
from tests.support.played import Cable
from tests.support.real_process import COMMAND, ROOT, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.night_storm import Fault

RIGHT_AGAIN_S = 10.0
STARTS_WITHIN_S = 15.0  # the capture is searched each few seconds, and a start takes one
CALM_S = (14.0, 30.0)
WARM_S = 120.0  # before this, memory is still being taken
GROWS_BY, GROWS_WITHIN = 0.02, 300  # samples, one a second of calm; less says nothing of a night


class Night:
    """State: the scene, who watches, the faults so far and what is struck now."""

    def __init__(self, scene: Scene, broken: Broken, rng: random.Random, *, faults: Sequence[Fault]) -> None:
        """Begin one; nobody watches yet."""
        self.scene, self.broken, self._rng, self._faults = scene, broken, rng, faults
        self.near, self.far = Listener("client", broken), Listener("client behind a cable", broken)
        self.house = House(scene.broker.port, broken)
        self.programs: list[Program] = []
        self.screen: Screen | None = None
        self.rows: list[dict[str, Any]] = []
        self.memory: list[tuple[float, int, int]] = []
        self._began_s = 0.0
        self._struck: Fault | None = None
        self._calm_since_s = time.monotonic()
        scene.deck.changes.append(lambda: self.rows.append(self._row("next track")))

    async def storm(self, ends_s: float) -> None:
        """Let one fault after another strike, each as often as the others, and look for the tempo after each."""
        waiting: list[Fault] = []
        while time.monotonic() < ends_s:
            await asyncio.sleep(self._rng.uniform(*CALM_S))
            waiting = waiting or self._rng.sample(self._faults, len(self._faults))
            fault = waiting.pop()
            lasts_s = self._rng.uniform(*fault.lasts_s)
            self.scene.deck.free.clear()
            self._struck = fault
            print(f"{time.monotonic() - self.broken.begun_s:6.0f} s  {fault.name} for {lasts_s:.1f} s", flush=True)
            async with fault.strike(self.scene):
                await asyncio.sleep(lasts_s)
            self._struck, self._calm_since_s = None, time.monotonic()
            if fault.takes_memory:
                self._began_s = time.time()
            row = self._row(fault.name)
            self.rows.append(row)
            await self._right_again(row, fault)
            self.scene.deck.free.set()

    def _row(self, name: str) -> dict[str, Any]:
        return {"fault": name, "ended_s": time.monotonic(), "bpm": self.scene.deck.bpm, "right_s": None, "heard_s": 0.0}

    async def _right_again(self, row: dict[str, Any], fault: Fault) -> None:
        """Wait for the right tempo; where sound was hurt, counted from when there is sound again."""
        hurts = bool(fault.hurts & {"sound", "line"})
        limit_s = RIGHT_AGAIN_S + (STARTS_WITHIN_S if hurts else 0.0) + 4.0
        heard_s: float | None = None if hurts else row["ended_s"]
        while time.monotonic() < row["ended_s"] + limit_s:
            await asyncio.sleep(0.25)
            status = self.near.status
            if (
                heard_s is None
                and status
                and status.state in ("warming", "live", "degraded")
                and not self.near.lost_since_s
            ):
                heard_s = self.near.came_s
                row["heard_s"] = max(0.0, heard_s - row["ended_s"])
            if heard_s is not None and (right_s := self.near.right_since(row["bpm"], heard_s)) is not None:
                row["right_s"] = right_s
                break
        if row["right_s"] is None or row["right_s"] > RIGHT_AGAIN_S:
            heard = [tempo.bpm for _, tempo in self.near.tempi][-10:]
            self.broken.say(
                f"after {fault.name}: {row['bpm']:.0f} BPM right {row['right_s']} s after sound; heard {heard}"
            )

    async def watch(self) -> None:
        """Hold each second to what may never be."""
        while True:
            await asyncio.sleep(1.0)
            calm_s = 0.0 if self._struck else time.monotonic() - self._calm_since_s
            line_hurt = bool(self._struck and "line" in self._struck.hurts) or calm_s < COMES_BACK_S / 2
            far_hurt = line_hurt or bool(self._struck and "far line" in self._struck.hurts) or calm_s < COMES_BACK_S / 2
            self.near.check(may_be_lost=line_hurt, calm_s=calm_s)
            self.far.check(may_be_lost=far_hurt, calm_s=calm_s)
            self.house.check(calm_s=calm_s)
            for program in self.programs:
                program.check(calm_s=calm_s)
            if self.screen:
                await self.screen.check(calm_s=calm_s)
            self._measure()

    def _measure(self) -> None:
        with suppress(psutil.Error):
            process = psutil.Process(self.scene.running.process.pid)
            if time.time() - max(process.create_time(), self._began_s) > WARM_S and not self._struck:
                self.memory.append((self._began_s, process.memory_info().rss, process.num_fds()))

    def report(self) -> dict[str, Any]:
        """Sum the night up; what grew is broken."""
        growth, files, by_tenth = [], [], []
        for start in dict.fromkeys(row[0] for row in self.memory):
            one = [row for row in self.memory if row[0] == start]
            tenth = max(1, len(one) // 10)
            first, last = (statistics.median(row[1] for row in part) for part in (one[:tenth], one[-tenth:]))
            growth.append(last / first - 1.0)
            parts = [one[at : at + tenth] for at in range(0, len(one), tenth)]
            by_tenth.append([round(statistics.median(row[1] for row in part) / 1e6, 1) for part in parts])
            files.append((statistics.mode(r[2] for r in one[:tenth]), statistics.mode(r[2] for r in one[-tenth:])))
            if growth[-1] > GROWS_BY and len(one) >= GROWS_WITHIN:
                self.broken.say(f"memory of the process of {len(one)} s grew by {growth[-1]:.1%}")
            if files[-1][1] > files[-1][0] + 2:
                self.broken.say(f"open files grew from {files[-1][0]} to {files[-1][1]}")
        faults: dict[str, Any] = {}
        for name in dict.fromkeys(row["fault"] for row in self.rows if row["fault"] != "next track"):
            rows = [row for row in self.rows if row["fault"] == name]
            right = [row["right_s"] for row in rows if row["right_s"] is not None]
            faults[name] = {
                "times": len(rows),
                "sound_again_s": round(max(row["heard_s"] for row in rows), 1),
                "tempo_right_median_s": round(statistics.median(right), 1) if right else None,
                "tempo_right_max_s": round(max(right), 1) if right else None,
            }
        return {
            "faults": faults,
            "tracks": sum(row["fault"] == "next track" for row in self.rows),
            "client": dict(self.near.seen),
            "client_behind_a_cable": dict(self.far.seen),
            "sessions": len(self.near.sessions),
            "broker_messages": self.house.lines,
            "programs": {program.name: program.lines for program in self.programs},
            "page_looks": self.screen.looks if self.screen else 0,
            "memory_growth": [round(value, 4) for value in growth],
            "memory_mb": by_tenth,
            "memory_samples": [
                sum(row[0] == start for row in self.memory) for start in dict.fromkeys(r[0] for r in self.memory)
            ],
            "open_files": files,
            "log": self._log(),
            "broken": self.broken.lines,
        }

    def _log(self) -> dict[str, Any]:
        """Read the set log: it is whole, and the night is one set."""
        with closing(open_for_reading(self.scene.log)) as connection:
            sets, gaps = list_sets(connection), read_night(connection, "last").gaps
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            (seconds,) = connection.execute("SELECT count(*) FROM seconds").fetchone()
        if (len(sets), said) != (1, "ok"):
            self.broken.say(f"set log: {len(sets)} sets, integrity {said}")
        gaps_s = sum(gap.span_s for gap in gaps)
        return {"sets": len(sets), "set_s": sets[0].duration_s, "seconds": seconds, "gaps": len(gaps), "gaps_s": gaps_s}


async def spend(hours: float, seed: int, folder: Path, *, faults: Sequence[Fault]) -> dict[str, Any]:
    """Spend a night with these faults; return what it was like."""
    rng, broken = random.Random(seed), Broken()
    pulse, broker, port = Room(folder), Mosquitto(folder), free_port()
    broker.start()
    pulse.start()
    address = f"127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        cable = await stack.enter_async_context(Cable(address).plugged())
        scene = Scene(pulse, broker, cable, Deck(pulse, rng), port, folder)
        night = Night(scene, broken, rng, faults=faults)
        stack.callback(pulse.stop)
        stack.callback(broker.kill)
        await asyncio.to_thread(scene.start)
        stack.callback(scene.end)
        night.programs = [Program("subscribe", [*COMMAND, "subscribe", address, "--json"], broken)]
        if node := shutil.which("node"):
            night.programs.append(Program("node", [node, "--experimental-websocket", "-e", _NODE % address], broken))
        tasks = [
            scene.deck.turn(), scene.deck.keep_on(), night.near.follow(f"ws://{address}/ws"),
            night.far.follow(f"ws://{cable.address}/ws"), night.house.follow(),
            *(program.follow() for program in night.programs),
        ]  # fmt: skip
        running = [asyncio.create_task(task) for task in tasks]
        stack.callback(lambda: [task.cancel() for task in running])
        if chromium.find():
            playwright = await stack.enter_async_context(async_playwright())
            browser = await playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.SWITCHES))
            stack.push_async_callback(browser.close)
            page = await browser.new_page()
            await page.goto(f"http://{address}/")
            night.screen = Screen(page, broken)
        watching = asyncio.create_task(night.watch())
        await night.storm(time.monotonic() + 3600.0 * hours)
        watching.cancel()
        for task in (*running, watching):
            if task.done() and not task.cancelled() and (error := task.exception()):
                broken.say(f"a watcher failed: {type(error).__name__} {error}")
        return night.report()


_NODE = (
    'import("./web/client/client.js").then(async ({ subscribe }) => { for await (const { type } of '
    'subscribe("ws://%s/ws", {})) if (type !== "lost" && type !== "gap") console.log(type); });'
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the night was like; exit with 1 if anything was broken."""
    parser = argparse.ArgumentParser(description="Spend a night in which everything goes wrong.")
    parser.add_argument("--hours", type=float, default=1 / 6, help="how long (default: ten minutes)")
    parser.add_argument("--seed", type=int, default=1, help="which night")
    parser.add_argument("--one-process", action="store_true", help="no fault that begins anew: memory over hours")
    given = parser.parse_args(arguments)
    faults = [fault for fault in FAULTS if not (given.one_process and fault.takes_memory)]
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(spend(given.hours, given.seed, Path(folder), faults=faults))
    print(json.dumps({"seed": given.seed, "hours": given.hours, "load": os.getloadavg()[1]} | found, indent=1))
    if found["broken"]:
        print(f"again: python -m benchmarks.night --hours {given.hours:g} --seed {given.seed}")
        sys.exit(1)


if __name__ == "__main__":
    main()
