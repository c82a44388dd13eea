"""What many subscribers cost: ``python -m benchmarks.fanout``, three minutes (``pip install -e .[bench]`` for aiohttp).

One tempo, one genre and one level 10 times a second to each of up to 2000 clients on this machine, sent by our server
and, in the same run, by `websockets.broadcast` and aiohttp. The clients live in a process of their own, and share the
cores with the server. A server that can't keep up publishes less often ("a second"). Latency is from publishing to the
client's read. Then the whole service, hearing a real capture where PulseAudio can make one, with as many clients: sound
that is lost is counted by the service itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import psutil
from websockets.sync.client import connect

from tests.support import pulse
from tests.support.real_process import ROOT, serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GOALS = {"clients": 2000, "cpu": 0.20, "p99_ms": 50.0}
COUNTS = (100, 1000, 2000)
STALLED_PART = 10  # one in so many
STALLED_S = 30.0  # buffers fill up for some 13 s, and a client is closed 10 s later
SETTLE_S = 1.0
WIDTHS = (32, 9, 10, 8, 9, 9, 9, 6, 10, 15)
AUDIO_BLOCKS = re.compile(r"^stream_analyzer_audio_(blocks\w*)_total (\S+)$", re.MULTILINE)
Row = dict[str, Any]


@contextmanager
def helper(module: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a module of the benchmark in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], line: str = "") -> str:
    """Write a line, if any, and read one."""
    assert process.stdin  # noqa: S101 - they were asked for
    assert process.stdout  # noqa: S101
    if line:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    answer = process.stdout.readline()
    if not answer:
        sys.exit(f"{process.args!r} has ended")
    return answer


def fan_out(server: str, clients: int, *, deflate: bool, seconds: float, stalled: int = 0) -> Row:
    """Send the stream for some seconds; return what it cost and what arrived."""
    with helper("fanout_servers", server) as serving:
        port = ask(serving).strip()
        with helper("fanout_load", port, clients - stalled, stalled, int(deflate)) as load:
            ask(load)
            cost = json.loads(ask(serving, str(seconds)))
            time.sleep(SETTLE_S)
            published = cost.pop("published")
            seen = json.loads(ask(load, json.dumps(published)))
    cost["hz"] = (len(published) - 1) / (published[-1] - published[0])
    return {"server": server, "clients": clients, "deflate": deflate, "silent": stalled, **cost, **seen}


def listening(clients: int, *, seconds: float) -> Row:
    """Run the service with a real capture, or with the demo where there is none; return what it says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        if pulse.why_not():
            return whole_service(("--input", "demo"), {}, clients, seconds=seconds)
        sound = pulse.Pulse(Path(folder))
        sound.start()
        try:
            sound.play(pulse.drum_loop(124.0, duration_s=3.0 * seconds + 60.0))
            return whole_service(("--device", "pulse"), sound.env, clients, seconds=seconds)
        finally:
            sound.stop()


def whole_service(options: tuple[str, ...], env: dict[str, str], clients: int, *, seconds: float) -> Row:
    """Let so many clients follow all that the service sends; return its cost and what it says of lost sound."""
    with serve(*options, "--max-clients", str(2 * clients), "--max-per-address", str(2 * clients), env=env) as service:
        port = service.address.rsplit(":", maxsplit=1)[1]
        with (
            connect(f"ws://{service.address}/ws?types=status", max_queue=None) as watch,
            helper("fanout_load", port, clients, 0, 1) as load,
        ):
            ask(load)
            process = psutil.Process(service.process.pid)
            cpu_s, begun = sum(process.cpu_times()[:2]), time.monotonic()
            status: Row = {}
            while time.monotonic() - begun < seconds:
                message = json.loads(watch.recv(timeout=10.0))
                status = message["data"] if message["type"] == "status" else status
            cpu = (sum(process.cpu_times()[:2]) - cpu_s) / (time.monotonic() - begun)
            with urlopen(f"http://{service.address}/metrics") as answer:
                blocks = dict(
                    re.findall(r"^stream_analyzer_audio_(blocks\w*)_total (\S+)$", answer.read().decode(), re.MULTILINE)
                )
    return {"input": options[-1], "clients": clients, "cpu": cpu, "status": status, **blocks}


def measure(seconds: float, *, counts: tuple[int, ...]) -> dict[str, Any]:
    """Measure everything."""
    servers = ["websockets.broadcast", *(["aiohttp"] if importlib.util.find_spec("aiohttp") else [])]
    rows = [fan_out("ours", count, deflate=deflate, seconds=seconds) for deflate in (False, True) for count in counts]
    rows += [fan_out(server, counts[-1], deflate=False, seconds=seconds) for server in servers]
    rows += [fan_out(server, count, deflate=True, seconds=seconds) for server in servers for count in counts]
    rows.append(fan_out("ours", counts[-1], deflate=False, seconds=STALLED_S, stalled=counts[-1] // STALLED_PART))
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "rows": rows,
        "whole": listening(counts[-1], seconds=2.0 * seconds),
    }


def describe(result: dict[str, Any]) -> str:
    """Return the result as tables for people."""
    head = ("server", "clients", "a second", "CPU %", "p50 ms", "p99 ms", "max ms", "MB", "not come", "kB/s a client")
    lines = [result["machine"], "".join(f"{cell:>{width}}" for cell, width in zip(head, WIDTHS, strict=True))]
    for row in result["rows"]:
        name = row["server"] + (", deflate" if row["deflate"] else "")
        name += f", {row['silent']} stalled" if row["silent"] else ""
        times = (f"{row[key]:.1f}" for key in ("p50_ms", "p99_ms", "max_ms"))
        cells = (
            name,
            row["clients"],
            f"{row['hz']:.1f}",
            f"{100 * row['cpu']:.1f}",
            *times,
            f"{row['resident_mb']:.0f}",
            row["not_come"],
        )
        cells += (f"{row['kb_a_second']:.1f}",)
        lines.append("".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)))
    stalled = result["rows"][-1]
    lines.append(f"of the stalled, closed: {stalled['stalled']}; messages they missed: {stalled['missed']}")
    whole, status = result["whole"], result["whole"]["status"]
    lines += [
        f"whole service, input {whole['input']}, {status['clients']} clients of all: {100 * whole['cpu']:.0f} % CPU",
        f"  sound: {whole['blocks']} blocks taken, {whole['blocks_dropped']} dropped, {status['lost_s']} s lost",
        f"  messages missed {status['missed']}, latency {1e3 * status['latency_s']:.0f} ms, state {status['state']}",
    ]
    lines.append(f"goals for {GOALS['clients']} clients: {100 * GOALS['cpu']:.0f} % CPU, p99 {GOALS['p99_ms']:.0f} ms")
    if not any(row["server"] == "aiohttp" for row in result["rows"]):
        lines.append("aiohttp is not installed and was left out: pip install -e .[bench]")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each run")
    parser.add_argument("--clients", type=int, nargs="+", default=COUNTS, help="how many, one run each")
    options = parser.parse_args(arguments)
    result = measure(options.seconds, counts=tuple(options.clients))
    print(json.dumps(result) if options.json else describe(result))


if __name__ == "__main__":
    main()
