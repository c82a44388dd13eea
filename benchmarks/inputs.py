"""What several inputs cost beside one, through real captures: ``python -m benchmarks.inputs``.

A private PulseAudio has a null sink for each input, into which another part of the demo is played; ALSA's PulseAudio
plug-in makes each sink's monitor a device of its own, and PortAudio captures it. One process listens to one of them, or
to all, with a worker thread for each input or one for all, in turns, so that what else the machine does falls on all
alike.

Work is from the arrival of the block of sound that completes a step to the end of publishing what it led to; latency
is that and the mean wait of a sample for the end of its step, as in `status`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import soundfile

from stream_analyzer import listening, pipeline
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.assembly import make_inputs
from stream_analyzer.listening import Input
from stream_analyzer.publisher import Publisher
from stream_analyzer.serving.web.server import Serving
from stream_analyzer.settings.config import load_settings
from stream_analyzer.sound.source import LIVE_BLOCK_S, SourceInfo
from stream_analyzer.system.resources import DEMO_FILE, resource_folder
from stream_analyzer.types import AudioBlock
from tests.support.pulse import RATE_HZ, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_analyzer.kinds import Described
    from stream_analyzer.sound.queue import BlockQueue

WARM_UP_S = 10.0
MOST = 4
KINDS = {"one": (1, 1), "four, a thread each": (MOST, MOST), "four, one thread": (MOST, 1)}


@contextmanager
def room(folder: Path, *, seconds: float) -> Iterator[dict[str, str]]:
    """Play into as many sinks as there are inputs while the context lasts; gives the environment that hears them."""
    names = [f"deck{i}" for i in range(MOST)]
    devices = "".join(f'pcm.{name} {{ type pulse device "{name}.monitor" }}\n' for name in names)
    (folder / ".asoundrc").write_text(devices)
    (folder / "client.conf").write_text("autospawn = no\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PULSE_")}
    env |= dict.fromkeys(("HOME", "XDG_RUNTIME_DIR"), str(folder)) | {"PULSE_RUNTIME_PATH": str(folder / "pulse")}
    env |= {"PULSE_CLIENTCONFIG": str(folder / "client.conf"), "STREAM_ANALYZER_LOG": "off"}
    sinks = [f"-Lmodule-null-sink sink_name={name} rate={RATE_HZ} channels=2" for name in names]
    server = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disallow-exit"]
    server += [*sinks, "-Lmodule-native-protocol-unix auth-anonymous=1"]
    demo, rate_hz = soundfile.read(DEMO_FILE, dtype="float32")
    with ExitStack() as stack:
        _start(stack, server, env)
        _wait_for_server(env)
        for place, name in enumerate(names):
            part = np.roll(demo, -place * len(demo) // MOST, axis=0)
            whole = np.tile(part, (int(seconds * rate_hz / len(part)) + 1, 1))
            soundfile.write(folder / f"{name}.wav", whole, rate_hz, subtype="PCM_16")
            _start(stack, ["paplay", f"--device={name}", "--latency-msec=50", str(folder / f"{name}.wav")], env)
        yield env


def _start(stack: ExitStack, command: Sequence[str], env: dict[str, str]) -> None:
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)


def _wait_for_server(env: dict[str, str]) -> None:
    for _ in range(100):
        if not subprocess.run(["pactl", "info"], env=env, capture_output=True, check=False).returncode:
            return
        time.sleep(0.1)
    msg = "PulseAudio did not start"
    raise RuntimeError(msg)


async def listen(count: int, workers: int, seconds: float) -> dict[str, Any]:
    """Listen to ``count`` inputs in this process, and return what that took."""
    work_s: list[float] = []

    class Timed(Publisher):
        def publish(self, events: Sequence[Described]) -> None:
            super().publish(events)
            if events:
                work_s.append(time.monotonic() - self._queue.arrived_s)
            lost[id(self)] = self.status.lost_s if self.status else 0.0

    lost: dict[int, float] = {}
    listening.Publisher = Timed  # type: ignore[attr-defined]
    wanted = [f"in{i}=device:deck{i}" for i in range(count)]
    inputs = make_inputs(load_settings({"input": wanted}, environment={}), attended=True, note=print)
    serving = Serving("127.0.0.1", 0)
    run = pipeline.run(inputs, serving=serving, announce=lambda _: None, write_line=None, workers=workers)
    task = asyncio.create_task(run)
    await asyncio.sleep(WARM_UP_S)
    work_s.clear()
    cpu_s, begun_s, lost_before_s = time.process_time(), time.monotonic(), sum(lost.values())
    await asyncio.sleep(seconds)
    took_s, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
    found = {
        "real_time_factor": cpu_s / took_s / count,
        "megabytes": psutil.Process().memory_info().rss / 1e6,
        **_spread(work_s),
        "steps_expected": round(10 * took_s * count),
        "steps": len(work_s),
        "lost_s": sum(lost.values()) - lost_before_s,
    }
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return found


class Played:
    """Part of the demo as a device would deliver it, in real time while its ``gate`` is open."""

    live = True

    def __init__(self, place: int, gate: asyncio.Event) -> None:
        self._place, self._gate = place, gate

    def open(self) -> SourceInfo:
        """Name it."""
        return SourceInfo("device", f"demo {self._place}", RATE_HZ, 2)

    async def deliver(self, queue: BlockQueue) -> None:
        """Play; each source is a little later than the one before, as cards are that nobody has in step."""
        sound, _ = soundfile.read(DEMO_FILE, dtype="float32")
        sound = np.roll(sound, -self._place * len(sound) // MOST, axis=0)
        size, loop, at = round(LIVE_BLOCK_S * RATE_HZ), asyncio.get_running_loop(), 0
        while True:
            await self._gate.wait()
            due_s = loop.time() + self._place * LIVE_BLOCK_S / MOST
            while self._gate.is_set():
                due_s += LIVE_BLOCK_S
                await asyncio.sleep(due_s - loop.time())
                queue.put(AudioBlock(sound[at : at + size], RATE_HZ))
                at = (at + size) % (len(sound) - size)


async def in_turns(turns: int, turn_s: float) -> dict[str, Any]:
    """Measure all kinds in one process, a few seconds each in turns, without a capture: for a crowded machine."""
    work_s: dict[str, list[float]] = {kind: [] for kind in KINDS}
    hearing, building = set[str](), [""]

    class Timed(Publisher):
        def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - those of its base
            super().__init__(*arguments, **more)
            self.kind = building[0]

        def publish(self, events: Sequence[Described]) -> None:
            super().publish(events)
            if events and self.kind in hearing:
                work_s[self.kind].append(time.monotonic() - self._queue.arrived_s)

    listening.Publisher = Timed  # type: ignore[attr-defined]
    gates = {kind: asyncio.Event() for kind in KINDS}
    tasks = []
    for kind, (count, workers) in KINDS.items():
        building[0], up = kind, asyncio.get_running_loop().create_future()
        heads = [load_heads(resource_folder("models")) for _ in range(count)]
        inputs = [Input(f"in{i}", Played(i, gates[kind]), heads[i]) for i in range(count)]
        serving = Serving("127.0.0.1", 0)
        run = pipeline.run(inputs, serving=serving, announce=up.set_result, write_line=None, workers=workers)
        tasks.append(asyncio.create_task(run))
        await up
    cpu_s = dict.fromkeys(KINDS, 0.0)
    for _, (kind, gate) in product(range(turns), gates.items()):
        gate.set()
        await asyncio.sleep(1.0)
        hearing.add(kind)
        begun_s = time.process_time()
        await asyncio.sleep(turn_s)
        cpu_s[kind] += time.process_time() - begun_s
        hearing.clear()
        gate.clear()
        await asyncio.sleep(1.0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    rows = {
        kind: {"steps": len(each), "real_time_factor": cpu_s[kind] / (turns * turn_s * KINDS[kind][0]), **_spread(each)}
        for kind, each in work_s.items()
    }
    for row in rows.values():
        row["latency_p99_to_one"] = row["latency_p99_ms"] / rows["one"]["latency_p99_ms"]
    found = {kind: {name: round(value, 4) for name, value in row.items()} for kind, row in rows.items()}
    return {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count(), "in_turns": found}


def _spread(work_s: list[float]) -> dict[str, float]:
    """Return how long steps took, and the latency of `status` that it makes, in milliseconds."""
    p50_s, p99_s = statistics.median(work_s), statistics.quantiles(work_s, n=100)[-1]
    latency_s = p99_s + 0.5 / STEPS_PER_SECOND
    return {"work_p50_ms": 1e3 * p50_s, "work_p99_ms": 1e3 * p99_s, "latency_p99_ms": 1e3 * latency_s}


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Listen in turns; return the medians over the rounds, and beside them what four are to one."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        whole_s = len(KINDS) * rounds * (seconds + WARM_UP_S + 10.0)
        with room(Path(name), seconds=whole_s) as env:
            for kind in islice(cycle(KINDS), rounds * len(KINDS)):
                command = [sys.executable, "-m", "benchmarks.inputs", "--seconds", str(seconds), "--kind", kind]
                done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, text=True)
                found[kind].append(json.loads(done.stdout))
    middle = {
        kind: {name: round(statistics.median(row[name] for row in rows), 4) for name in rows[0]}
        for kind, rows in found.items()
    }
    one = middle["one"]
    for kind, row in middle.items():
        for name in ("latency_p99_ms", "work_p99_ms", "real_time_factor"):
            row[f"{name.removesuffix('_ms')}_to_one"] = round(row[name] / one[name], 2)
        count = KINDS[kind][0]
        if count > 1:
            row["megabytes_for_each_more"] = round((row["megabytes"] - one["megabytes"]) / (count - 1), 1)
    ratios = {
        kind: [
            round(row["latency_p99_ms"] / alone["latency_p99_ms"], 2)
            for row, alone in zip(rows, found["one"], strict=True)
        ]
        for kind, rows in found.items()
    }
    load = round(os.getloadavg()[0], 1)
    return {"load": load, "cores": os.cpu_count(), "median": middle, "latency_p99_to_one_by_round": ratios}


def main() -> None:
    """Print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each of nine measurements")
    parser.add_argument("--turns", type=int, help="no captures: all kinds in one process, so many times 5 s each")
    parser.add_argument("--kind", choices=list(KINDS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        result = asyncio.run(listen(*KINDS[options.kind], options.seconds))
    elif options.turns:
        result = asyncio.run(in_turns(options.turns, 5.0))
    elif missing := why_not():
        sys.exit(missing)
    else:
        result = measure(options.rounds, options.seconds)
    print(json.dumps(result, indent=None if options.kind else 2))


if __name__ == "__main__":
    main()
