"""What listening costs: front end, models, whole analyzer, memory, start, latency.

Run: python -m benchmarks.cost. Absolute times belong to the machine and its load; the ratios of one run are what to
compare. The live part feeds the bundled demo as raw PCM in real time for a minute and reads the stream as a client; a
sound device adds its own latency.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.request import urlopen

import librosa
import numpy as np
import psutil
from websockets.asyncio.client import connect

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.analysis.tempo.tracker import TempoTracker
from stream_analyzer.sound.files import read_blocks
from stream_analyzer.system.resources import DEMO_FILE, resource_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.analysis.model import TfliteModel
    from stream_analyzer.types import F32, AudioBlock

GOALS = {
    "tempo_path": 0.005,
    "real_time_factor": 0.010,
    "resident_mb": 120.0,
    "start_s": 1.0,
    "beat_ms": 115.0,
    "cpu_share": 0.05,
}
RECOMPUTED_S = 10.0
BATCH_HOPS = 16
LIVE_BLOCK_S = 0.01
STEP_S = 1.0 / STEPS_PER_SECOND
SERVICE = [sys.executable, "-m", "stream_analyzer", "run", "--port", "0"]


def best_s(work: Callable[[], object], *, repeats: int = 5) -> float:
    """Return the shortest of some runs, in seconds: the one that the machine disturbed least."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


def front_end(signal: F32) -> dict[str, float]:
    """Return microseconds a hop: streaming one by one and batched, and librosa computing a 10 s window anew."""
    hops = (len(signal) - SPEC.n_fft) // SPEC.hop
    log_mel = StreamingLogMel()

    def stream(hops_at_once: int) -> None:
        log_mel.reset()
        size = SPEC.hop * hops_at_once
        for start in range(0, len(signal), size):
            log_mel.push(signal[start : start + size])

    window = signal[: round(RECOMPUTED_S * SPEC.sample_rate_hz)]

    def recompute() -> None:
        power = librosa.feature.melspectrogram(
            y=window, sr=SPEC.sample_rate_hz, n_fft=SPEC.n_fft, hop_length=SPEC.hop, center=False
        )
        np.log(np.maximum(power, SPEC.power_floor))

    return {
        "one_by_one": best_s(lambda: stream(1)) / hops * 1e6,
        f"batched_{BATCH_HOPS}": best_s(lambda: stream(BATCH_HOPS)) / hops * 1e6,
        f"librosa_{RECOMPUTED_S:.0f}_s_anew": best_s(recompute) * 1e6,
    }


def inference(model: TfliteModel) -> float:
    """Return milliseconds an inference, quantization of the window included."""
    random = np.random.default_rng(0).random(model.manifest.shape, np.float32)
    window = random * np.float32(20.0) - np.float32(15.0)
    runs = 50

    def some() -> None:
        for _ in range(runs):
            model.run(window)

    return best_s(some) / runs * 1e3


def whole_analyzer(heads: list[Head], blocks: list[AudioBlock]) -> float:
    """Return the real-time factor of the analyzer on decoded sound: compute time over sound time, one thread."""
    analyzer = Analyzer(heads)

    def analyze() -> None:
        analyzer.reset()
        for block in blocks:
            analyzer.feed(block)

    return best_s(analyze, repeats=3) / sum(block.duration_s for block in blocks)


def tempo_path(heads: list[Head], blocks: list[AudioBlock]) -> float:
    """Return what the tempo alone takes of the analyzer's compute time over sound time: onsets, inference, tracker."""
    analyzer = Analyzer(heads)
    spent: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401
            begun = time.perf_counter()
            result = method(*arguments, **more)
            spent[-1] += time.perf_counter() - begun
            return result

        return call

    with (
        mock.patch.object(TempoTracker, "push", timed(TempoTracker.push)),
        mock.patch.object(TempoTracker, "update", timed(TempoTracker.update)),
    ):
        for _ in range(4):
            spent.append(0.0)
            analyzer.reset()
            for block in blocks:
                analyzer.feed(block)
    return min(spent) / sum(block.duration_s for block in blocks)


async def start(*arguments: str, **more: Any) -> tuple[asyncio.subprocess.Process, str, float]:  # noqa: ANN401
    """Start the service; return its process, the page's URL, and the seconds until the page was served."""
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*SERVICE, *arguments, stderr=asyncio.subprocess.PIPE, **more)
    assert process.stderr  # noqa: S101 - it was asked for
    line = ""
    while "open http" not in line:
        line = (await process.stderr.readline()).decode()
        if not line:
            sys.exit("the service did not start")
    url = line.split("open ")[1].split(" ")[0]
    with await asyncio.to_thread(urlopen, url) as response:
        response.read()
    return process, url, time.perf_counter() - begun


async def end(process: asyncio.subprocess.Process) -> None:
    """End the service."""
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def start_seconds() -> float:
    """Return the seconds from the start of the process to the page, best of three."""
    times = []
    for _ in range(3):
        process, _, seconds = await start("--input", "demo")
        times.append(seconds)
        await end(process)
    return min(times)


def when_written(written: list[tuple[float, float]], time_s: float) -> float:
    """Return when the sample at ``time_s`` was written, of blocks as their end on the sample clock and that time.

    One that is still to come, as beats are told a little ahead, will be as long after the last as it lies behind it.
    """
    last_s, last_at = written[-1]
    return next((at for end_s, at in written if end_s >= time_s), last_at + time_s - last_s)


async def live(pcm: bytes, *, rate_hz: int, channels: int, seconds: float) -> dict[str, float]:
    """Feed PCM in real time; return memory, and how late what is told of a sample comes, counted from its writing.

    That of each sample by the level that shows it, and of each sample on which a beat falls by that beat.
    """
    form = ("--input", "-", "--rate", str(rate_hz), "--channels", str(channels), "--json")
    process, url, _ = await start(*form, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL)
    assert process.stdin  # noqa: S101 - it was asked for
    samples_a_block = round(rate_hz * LIVE_BLOCK_S)
    block_bytes = samples_a_block * 2 * channels
    written: list[tuple[float, float]] = []  # (end on the sample clock, wall time)
    latencies: list[float] = []
    of_beats: list[float] = []

    async def read() -> None:
        async with connect(url.replace("http", "ws", 1) + "ws") as socket:
            async for payload in socket:
                now = time.perf_counter()
                if isinstance(payload, bytes):
                    continue  # the spectrum's picture
                message = json.loads(payload)
                if message["type"] == "level":
                    time_s = message["time_s"]
                    step = [at for end_s, at in written[-200:] if time_s - STEP_S + 1e-6 < end_s <= time_s + 1e-6]
                    latencies.extend(now - at for at in step)
                elif message["type"] == "beat":
                    of_beats.append(now - when_written(written[-200:], message["data"]["beat_s"]))

    reader = asyncio.create_task(read())
    service = psutil.Process(process.pid)
    start_cpu_s = sum(service.cpu_times()[:2])
    begun = time.perf_counter()
    for i in range(round(seconds / LIVE_BLOCK_S)):
        await asyncio.sleep(begun + (i + 1) * LIVE_BLOCK_S - time.perf_counter())
        at = i * block_bytes % (len(pcm) - block_bytes)
        written.append(((i + 1) * samples_a_block / rate_hz, time.perf_counter()))
        process.stdin.write(pcm[at : at + block_bytes])
    resident_mb, cpu_s = service.memory_info().rss / 1e6, sum(service.cpu_times()[:2]) - start_cpu_s
    reader.cancel()
    with suppress(asyncio.CancelledError):
        await reader
    await end(process)
    p50, p99 = np.percentile(latencies, [50, 99]) * 1e3
    beat_p50, beat_p99 = np.percentile(of_beats, [50, 99]) * 1e3 if of_beats else (np.nan, np.nan)
    return {
        "latency_p50_ms": p50,
        "latency_p99_ms": p99,
        "beats": float(len(of_beats)),
        "beat_latency_p50_ms": beat_p50,
        "beat_latency_p99_ms": beat_p99,
        "resident_mb": resident_mb,
        "cpu_share": cpu_s / seconds,
        "start_cpu_s": start_cpu_s,
    }


def measure(seconds: float) -> dict[str, Any]:
    """Measure everything."""
    folder = resource_folder("models")
    heads = load_heads(folder)
    blocks = list(read_blocks(DEMO_FILE, block_s=0.5))
    samples = np.concatenate([block.samples for block in blocks])
    rate_hz, channels = blocks[0].rate_hz, samples.shape[1]
    noise = np.random.default_rng(0).standard_normal(20 * SPEC.sample_rate_hz).astype(np.float32)
    pcm = (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "front_end_us_per_hop": front_end(0.1 * noise),
        "inference_ms": {head.name: inference(head.model) for head in heads if head.model},
        "tempo_path": tempo_path(heads, blocks),
        "real_time_factor": whole_analyzer(heads, blocks),
        "start_s": asyncio.run(start_seconds()),
        **asyncio.run(live(pcm, rate_hz=rate_hz, channels=channels, seconds=seconds)),
    }


def describe(result: dict[str, Any]) -> str:
    """Return the result as a table for people."""
    mel = result["front_end_us_per_hop"]
    one, batched, anew = mel.values()
    rows = [
        ("mel front end, one hop at a time", f"{one:.1f} us a hop", f"librosa over 10 s anew: {anew / one:.0f}x"),
        (f"mel front end, {BATCH_HOPS} hops at a time", f"{batched:.1f} us a hop", f"{anew / batched:.0f}x"),
        ("librosa, 10 s computed anew", f"{anew:.0f} us a hop", ""),
        *((f"{name} model", f"{ms:.2f} ms an inference", "") for name, ms in result["inference_ms"].items()),
        ("tempo: onsets, model, tracker", f"{result['tempo_path']:.2%} of a core", f"goal {GOALS['tempo_path']:.1%}"),
        ("whole analyzer, real-time factor", f"{result['real_time_factor']:.4f}", f"goal {GOALS['real_time_factor']}"),
        ("resident memory after the live run", f"{result['resident_mb']:.0f} MB", f"goal {GOALS['resident_mb']:.0f}"),
        ("process start to page served", f"{result['start_s']:.2f} s", f"goal {GOALS['start_s']}"),
        ("sample written to message received", f"{result['latency_p50_ms']:.1f} ms p50", ""),
        ("", f"{result['latency_p99_ms']:.1f} ms p99", ""),
        ("sample on a beat to the beat received", f"{result['beat_latency_p50_ms']:.1f} ms p50", ""),
        (
            "",
            f"{result['beat_latency_p99_ms']:.1f} ms p99",
            f"goal {GOALS['beat_ms']:.0f}, {result['beats']:.0f} beats",
        ),
        ("processor, live", f"{100.0 * result['cpu_share']:.1f} % of a core", f"goal {GOALS['cpu_share']:.0%}"),
        ("processor, start", f"{result['start_cpu_s']:.2f} s", ""),
    ]
    return "\n".join([result["machine"], *(f"{what:38}{value:>24}  {note}" for what, value, note in rows)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the live run")
    options = parser.parse_args(arguments)
    result = measure(options.seconds)
    print(json.dumps(result) if options.json else describe(result))


if __name__ == "__main__":
    main()
