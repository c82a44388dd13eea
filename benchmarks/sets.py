"""How right the parts of a long set are, and what a year of nights costs: ``python -m benchmarks.sets night|year``.

``night`` plays a set of generated pieces and the demo's, whose changes are known, through the real service as fast as
it goes, and compares the parts in its log. ``year`` writes 365 nights straight into a log, and times list and page.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from benchmarks import tempo_music as music
from stream_analyzer.analysis.key.names import LABELS
from stream_analyzer.protocol.seconds import STATES, Second
from stream_analyzer.sets import reading, writing
from stream_analyzer.sets.database import open_for_reading, open_for_writing, transaction
from stream_analyzer.sets.parts import PartFinder
from stream_analyzer.sets.writing import Opening
from stream_analyzer.system.resources import DEMO_FILE
from tests.support import chromium
from tests.support.real_process import COMMAND, ROOT, environment, serve
from training.music.styles import STYLES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from stream_analyzer.sets.writing import Place
    from stream_analyzer.types import F32

FOLDER = ROOT / "runs" / "benchmarks" / "sets"
SHORTEST_S, LONGEST_S, FADE_S = 90.0, 300.0, 8.0
DEMO_EVERY = 20  # pieces
NEAR_S = 15.0
SAME_SHARE = 0.7
NIGHTS, NIGHT_H, DIFFERENT = 365, 6, 7
GENRES = ("Electronic", "Hip-Hop", "Rock", "Pop", "Jazz", "Funk", "Disco", "Reggae")


@dataclass(frozen=True, slots=True)
class Truth:
    """A set on disk, and the times at which its music changes."""

    path: Path
    changes_s: tuple[float, ...]
    length_s: float


def compose(*, hours: float, seed: int) -> Truth:
    """Render a set, piece after piece, each cut or faded into the next; what was rendered before is taken."""
    rng = np.random.default_rng([seed, 19])
    path, notes = FOLDER / f"night-{seed}-{hours:g}.flac", FOLDER / f"night-{seed}-{hours:g}.json"
    if not notes.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        changes, at, fade = [], 0.0, np.zeros(0, np.float32)
        with soundfile.SoundFile(path, "w", music.RATE_HZ, 1, "PCM_16") as file:
            for number in range(10_000):
                sound, inner = _demo() if number % DEMO_EVERY == DEMO_EVERY - 1 else _piece(rng)
                changes += [at + len(fade) / music.RATE_HZ / 2] * (number > 0) + [at + one for one in inner]
                ramp = np.linspace(0.0, 1.0, len(fade), dtype=np.float32)
                sound[: len(fade)] = sound[: len(fade)] * np.sqrt(ramp) + fade * np.sqrt(1.0 - ramp)
                last = at + len(sound) / music.RATE_HZ >= hours * 3600.0
                kept = len(sound) - (0 if last or rng.random() < 0.5 else round(FADE_S * music.RATE_HZ))
                file.write(np.clip(sound[:kept], -1.0, 1.0))
                fade, at = sound[kept:].copy(), at + kept / music.RATE_HZ
                print(f"\r{at / 3600.0:.2f} h", end="", flush=True)
                if last:
                    break
        print()
        notes.write_text(json.dumps({"changes_s": changes, "length_s": at}))
    known = json.loads(notes.read_text())
    return Truth(path, tuple(known["changes_s"]), known["length_s"])


def _piece(rng: np.random.Generator) -> tuple[F32, list[float]]:
    style = STYLES[int(rng.integers(len(STYLES)))]
    bpm = round(float(rng.uniform(style.lowest_bpm, style.highest_bpm)), 1)
    seconds = float(rng.uniform(SHORTEST_S, LONGEST_S))
    return music.track(style.name, bpm, seconds=seconds, seed=int(rng.integers(1 << 30))), []


def _demo() -> tuple[F32, list[float]]:
    samples, rate_hz = soundfile.read(DEMO_FILE, dtype="float32", always_2d=True)
    parts = json.loads(DEMO_FILE.with_suffix(".json").read_text())
    sound = np.asarray(soxr.resample(samples.mean(axis=1), rate_hz, music.RATE_HZ), np.float32)
    return sound, [part["start_s"] for part in parts[1:]]


def listen(truth: Truth, log: Path) -> float:
    """Let the service hear a set as fast as it can; return how many times as fast as it plays that was."""
    log.unlink(missing_ok=True)
    begun = time.monotonic()
    command = [*COMMAND, "run", "--port", "0", "--input", str(truth.path), "--speed", "0", "--log", str(log)]
    subprocess.run(command, env=environment(), cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return truth.length_s / (time.monotonic() - begun)


def compare(truth: Truth, log: Path) -> dict[str, Any]:
    """Return how the parts in a log compare with what was played; that the first begins is no change."""
    with closing(open_for_reading(log)) as connection:
        parts = reading.read_night(connection, "last").parts
    found = [float(part.start_s) for part in parts[1:]]
    pairs = matched(truth.changes_s, found)
    played = list(pairwise((0.0, *truth.changes_s, truth.length_s)))
    whole = sum(any(_share(one, (part.start_s, part.end_s)) >= SAME_SHARE for part in parts) for one in played)
    right = sum(any(_share(one, (part.start_s, part.end_s)) >= SAME_SHARE for one in played) for part in parts)
    return {
        "changes": len(truth.changes_s),
        "changes_found": len(found),
        "changes_precision": round(len(pairs) / max(1, len(found)), 3),
        "changes_recall": round(len(pairs) / len(truth.changes_s), 3),
        "error_s_median": round(median(abs(one - other) for one, other in pairs), 1) if pairs else None,
        "parts_played": len(played),
        "parts_found": len(parts),
        "parts_precision": round(right / max(1, len(parts)), 3),
        "parts_recall": round(whole / len(played), 3),
    }


def matched(truth: Sequence[float], found: Sequence[float]) -> list[tuple[float, float]]:
    """Return pairs of a change and one that was found within `NEAR_S` of it, each once, the nearest first."""
    near = sorted((abs(one - other), one, other) for one in truth for other in found if abs(one - other) <= NEAR_S)
    pairs: list[tuple[float, float]] = []
    for _, one, other in near:
        if all(one != known and other != taken for known, taken in pairs):
            pairs.append((one, other))
    return pairs


def _share(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the intersection of two spans over their union."""
    both = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    return both / (max(one[1], other[1]) - min(one[0], other[0]))


def write_year(path: Path, *, nights: int = NIGHTS, hours: float = NIGHT_H) -> None:
    """Write nights of made-up pieces, the last of them yesterday; after the first week they are those of that week."""
    rng = random.Random(19)
    with closing(open_for_writing(path)) as connection:
        for night in range(nights):
            begun = time.time() - (nights - night) * 86_400.0
            opening = Opening("main", "device", "USB Audio CODEC", "abcdef", begun)
            with transaction(connection):
                place = writing.open_set(connection, opening, alone=False)
                if night < DIFFERENT:
                    _play(connection, place, _seconds(rng, round(hours * 3600)), begun)
                else:
                    _repeat(connection, place, like=night % DIFFERENT + 1)
                writing.close_set(connection, place)


def _play(connection: sqlite3.Connection, place: Place, seconds: Iterator[Second], begun: float) -> None:
    finder = PartFinder()
    for second in seconds:
        writing.write_second(connection, place, second, begun + second.time_s)
        for part in finder.add(second):
            writing.write_part(connection, place, part)


def _repeat(connection: sqlite3.Connection, place: Place, *, like: int) -> None:
    """Copy all of a set but its date."""
    for table in ("seconds", "parts"):
        names = [f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "set_id"]
        rest = ", ".join(names)
        copied = f"INSERT INTO {table} (set_id, {rest}) SELECT ?, {rest} FROM {table} WHERE set_id = ?"  # noqa: S608
        connection.execute(copied, (place.set_id, like))
    connection.execute(
        "UPDATE sets SET end_s = (SELECT end_s FROM sets WHERE id = ?) WHERE id = ?", (like, place.set_id)
    )


def _seconds(rng: random.Random, length_s: int) -> Iterator[Second]:
    at, locked = 0, STATES.index("locked")
    while at < length_s:
        first, *others = rng.sample(GENRES, 5)
        bpm, key, end = rng.uniform(80.0, 150.0), rng.choice(LABELS), min(length_s, at + rng.randrange(120, 360))
        while at < end:
            sure = rng.uniform(0.5, 0.8)
            top = ((first, sure), *((label, (1.0 - sure) / 6.0) for label in others))
            yield Second(at, bpm + rng.gauss(0.0, 0.2), 0.9, locked, top, key, rng.gauss(-12.0, 1.5), energy=sure)
            at += 1


def year(path: Path) -> dict[str, Any]:
    """Return size, time of `sets list`, and when the page /sets first paints."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        for name in (part, part.with_name(f"{part.name}-wal"), part.with_name(f"{part.name}-shm")):
            name.unlink(missing_ok=True)
        write_year(part)
        part.rename(path)
    listed, before_s = [], _children_s()
    for _ in range(7):
        begun = time.monotonic()
        subprocess.run(
            [*COMMAND, "sets", "list", "--log", str(path)], env=environment(), cwd=ROOT, check=True, capture_output=True
        )
        listed.append(time.monotonic() - begun)
    cpu_s = (_children_s() - before_s) / len(listed)
    return {
        "megabytes": round(path.stat().st_size / 1e6),
        "list_s_median": round(median(listed), 3),
        "list_s_most": round(max(listed), 3),
        "list_cpu_s": round(cpu_s, 3),
        **_paints(path),
    }


def _children_s() -> float:
    """Return the processor time of programs that have run: unlike the time that passed, it hardly knows of others."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _paints(path: Path) -> dict[str, Any]:
    """Return when the page paints at all, and when the list of sets stands in it, each time in a fresh browser page."""
    first, listed = [], []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(path, folder))  # the service begins a set of its own
        with chromium.launch() as browser, serve("--input", "demo", "--log", str(copy)) as service:
            for _ in range(7):
                page = browser.new_page()
                page.goto(f"http://{service.address}/sets")
                page.wait_for_selector("#sets li")
                listed.append(page.evaluate("() => performance.now()"))
                painted = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"
                first.append(page.evaluate(painted))
                page.close()
    return {
        "first_paint_ms_median": round(median(first)),
        "first_paint_ms_most": round(max(first)),
        "list_shown_ms_median": round(median(listed)),
        "list_shown_ms_most": round(max(listed)),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sets", description=__doc__)
    parser.add_argument("what", choices=("night", "year"))
    parser.add_argument("--hours", type=float, default=3.0, help="length of the night")
    parser.add_argument("--seed", type=int, default=2, help="of the night; 1 is the one that thresholds were chosen by")
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    if options.what == "year":
        result |= year(FOLDER / "year.sqlite")
    else:
        truth = compose(hours=options.hours, seed=options.seed)
        log = truth.path.with_suffix(".sqlite")
        result |= {"hours": round(truth.length_s / 3600.0, 2), "times_real_time": round(listen(truth, log), 1)}
        result |= compare(truth, log)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
