"""What hours of music leave in the service's memory, as fast as they can be heard: ``python -m benchmarks.hours``.

One process of the real service hears a set of generated pieces again and again, writes its log, and serves a
subscriber of everything; models are swapped each simulated hour. Memory is what is the process's own, with no file
behind it, and all that is resident (Linux). `benchmarks.night` has everything break, in real time.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil
import soundfile

from benchmarks.sets import FOLDER, compose
from stream_analyzer.client.following import Gap, Lost
from stream_analyzer.client.subscriber import subscribe
from tests.support.other_models import rename
from tests.support.real_process import ROOT, Service, serve

PIECE_H = 0.5  # rendered once, heard in turn
EVERY_S = 900.0
WARM_H = 1.0  # before this, memory is still being taken, by the first swap of models too


@dataclass(frozen=True, slots=True)
class Row:
    """How things stand after so much sound."""

    hours: float
    own_mb: float
    resident_mb: float
    files: int
    messages: int
    missed: int


def repeated(hours: float) -> Path:
    """Return a file of so many hours."""
    path = FOLDER / f"hours-{hours:g}.flac"
    if not path.exists():
        sound, rate_hz = soundfile.read(compose(hours=PIECE_H, seed=8).path, dtype="int16")
        draft = path.with_suffix(".part")
        with soundfile.SoundFile(draft, "w", rate_hz, 1, "PCM_16", format="FLAC") as file:
            for _ in range(round(hours / PIECE_H)):
                file.write(sound)
        draft.rename(path)
    return path


async def hear(service: Service, models: Path, *, hours: float) -> list[Row]:
    """Follow the stream to its end; return how things stand each quarter of an hour of sound."""
    process, rows, got, missed, swapped = psutil.Process(service.process.pid), list[Row](), 0, 0, 0
    async for received in subscribe(f"ws://{service.address}/ws"):
        if isinstance(received.event, Lost | Gap):
            missed += 1
            continue
        got += 1
        time_s = getattr(received.event, "time_s", 0.0)
        if time_s >= EVERY_S * (len(rows) + 1):
            memory = process.memory_info()
            own, resident, files = memory.rss - memory.shared, memory.rss, process.num_fds()
            rows.append(Row(time_s / 3600.0, own / 1e6, resident / 1e6, files, got, missed))
            print("| " + " | ".join(f"{value:.4g}" for value in astuple(rows[-1])) + " |", flush=True)
        if time_s >= 3600.0 * (swapped + 0.5):
            swapped += 1
            rename(models, f"9.{swapped}")
            service.process.send_signal(signal.SIGHUP)
        if time_s >= 3600.0 * hours - EVERY_S / 2:
            break
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Print a row each quarter of an hour, and what became more since the first hour."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hours", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--hours", type=float, default=8.0, help="of sound (%(default)s)")
    options = parser.parse_args(arguments)
    song = repeated(options.hours)
    print("| hours | own MB | resident MB | open files | messages | missed |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        models, log = Path(folder) / "models", Path(folder) / "sets.sqlite"
        shutil.copytree(ROOT / "models", models)
        with serve("--input", str(song), "--speed", "0", "--models", str(models), "--log", str(log)) as service:
            rows = asyncio.run(hear(service, models, hours=options.hours))
    first, last = next((row for row in rows if row.hours >= WARM_H), rows[0]), rows[-1]
    print(f"own memory since hour {first.hours:.2f}: {last.own_mb / first.own_mb - 1.0:+.1%}", end="; ")
    print(f"resident {last.resident_mb / first.resident_mb - 1.0:+.1%}; open files {last.files - first.files:+d}")


if __name__ == "__main__":
    main()
