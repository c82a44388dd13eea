"""MIDI clock and Ableton Link beside the music: ``python -m benchmarks.clocks``.

The metronome and generated pieces of known beats are played as they would sound, through the whole pipeline. Of MIDI
clock it tells how far each tick came from where an even clock would have put it, of Link how far the phase of another
program on this machine was from the true beat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
from typing import TYPE_CHECKING, Any

import mido
import numpy as np
import soxr
from aalink import Link

from benchmarks import beat
from benchmarks import tempo_music as music
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.serving.clocks.link import LinkSink
from stream_analyzer.serving.clocks.midi import MidiSink
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.types import AudioBlock
from tests.support import midi_port
from tests.support.running import BLOCK_S, PERIOD_S, RATE_HZ, BeatingHead, Metronome, running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import F32, F64

FIRST_S = 10.0  # in which the beats are found and the clocks find together
EVERY_S = 0.05
FOUR_FOUR = ("4/4", "house", "techno", "drum_and_bass")
SECONDS_OF_PIECE = beat.SECONDS - FIRST_S - 1.0


class Piece:
    """Plays samples [n] as they would sound, then silence. State: when it began, on the loop's clock."""

    live = True
    begun_s = 0.0

    def __init__(self, samples: F32, rate_hz: int) -> None:
        """Play ``samples``."""
        self._samples, self._rate_hz = samples.reshape(-1, 1), rate_hz

    def open(self) -> SourceInfo:
        """Name it."""
        return SourceInfo("device", "piece", self._rate_hz, 1)

    async def deliver(self, queue: BlockQueue) -> None:
        """Play it."""
        size, loop = round(BLOCK_S * self._rate_hz), asyncio.get_running_loop()
        self.begun_s = loop.time()
        for at in range(0, len(self._samples), size):
            block = self._samples[at : at + size]
            await asyncio.sleep(self.begun_s + (at + len(block)) / self._rate_hz - loop.time())
            queue.put(AudioBlock(block, self._rate_hz))


async def ticks(seconds: float) -> dict[str, Any]:
    """Return how MIDI clock comes, with the metronome whose beats are known."""
    mido.set_backend("tests.support.midi_port")
    midi_port.sent.clear()
    source = Metronome()
    async with running(source, [BeatingHead()], clocks=[MidiSink("virtual")]):
        await asyncio.sleep(FIRST_S / 2 + seconds)
    times_s = np.array([at_s for at_s, kind in midi_port.sent if kind == "clock"])
    times_s = times_s[times_s > source.begun_s + FIRST_S / 2]
    off = (times_s - source.begun_s) / (PERIOD_S / 24)
    off_ms = 1000.0 * (off - np.round(off)) * PERIOD_S / 24
    even_ms = 1000.0 * np.abs(np.diff(times_s) - PERIOD_S / 24)
    return {
        "ticks": len(times_s),
        "from_the_beat_ms": _spread(off_ms - np.median(off_ms)) | {"median": round(float(np.median(off_ms)), 2)},
        "from_one_to_the_next_ms": _spread(even_ms),
    }


async def phase(source: Metronome | Piece, heads: Sequence[Head], beats_s: F32, seconds: float) -> dict[str, Any]:
    """Return how far another Link program is from the true beats."""
    peer, loop = Link(97.0), asyncio.get_running_loop()
    peer.quantum, peer.enabled = 1, True
    off_ms = []
    async with running(source, heads, clocks=[LinkSink()]):
        await asyncio.sleep(FIRST_S)
        ends_s = loop.time() + seconds
        while loop.time() < ends_s:
            await asyncio.sleep(EVERY_S)
            now_s = loop.time() - source.begun_s
            at = int(np.searchsorted(beats_s, now_s)) - 1
            if 0 <= at < len(beats_s) - 1:
                period_s = float(beats_s[at + 1] - beats_s[at])
                truth = (now_s - float(beats_s[at])) / period_s
                off_ms.append(1000.0 * period_s * ((peer.phase - truth + 0.5) % 1.0 - 0.5))
    peer.enabled = False
    if not off_ms:
        return {"looks": 0}
    looked = {"looks": len(off_ms), "median_ms": round(statistics.median(off_ms), 1)}
    return looked | {"median_off_ms": round(statistics.median(map(abs, off_ms)), 1), "bpm": round(peer.tempo, 2)}


def _spread(values: F64) -> dict[str, float]:
    size = np.abs(values)
    return {"p50": round(float(np.median(size)), 2), "p99": round(float(np.quantile(size, 0.99)), 2)}


async def measure(seconds: float, pieces: int) -> dict[str, Any]:
    """Measure both, and Link with ``pieces`` generated pieces too."""
    beats_s = np.arange(1000, dtype=np.float32) * PERIOD_S
    found: dict[str, Any] = {
        "machine": {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        "midi": await ticks(seconds),
        "link": {"metronome": await phase(Metronome(), [BeatingHead()], beats_s, seconds)},
    }
    for piece in [beat.made(*one) for one in beat.PIECES if one[0] in FOUR_FOUR][:pieces]:
        heads = load_heads(resource_folder("models"))
        true_s = piece.truth.time_s.astype(np.float32)
        sound = np.asarray(soxr.resample(piece.sound, music.RATE_HZ, RATE_HZ), np.float32)
        found["link"][piece.name] = await phase(Piece(sound, RATE_HZ), heads, true_s, SECONDS_OF_PIECE)
    offs_ms = [one["median_off_ms"] for name, one in found["link"].items() if name != "metronome" and one["looks"]]
    return found | {"median_off_of_pieces_ms": statistics.median(offs_ms) if offs_ms else None}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description="Measure MIDI clock and Ableton Link beside the music.")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the metronome (default: 30)")
    parser.add_argument("--pieces", type=int, default=5, help="generated pieces of 30 s, five at most (default: 5)")
    given = parser.parse_args(arguments)
    print(json.dumps(asyncio.run(measure(given.seconds, given.pieces)), indent=2))


if __name__ == "__main__":
    main()
