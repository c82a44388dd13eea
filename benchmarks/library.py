"""How fast a library becomes tables and training shards with one worker and with two, and whether memory stays flat.

    python -m benchmarks.library                  # 2000 files of 13 s; about half an hour on two free cores
    python -m benchmarks.library --files 200

The files are cut from generated songs, in turn as MP3, FLAC and Ogg, 1 of 100 broken, and kept under runs/. Each row is
a whole run of the command, its start included. Beside it librosa's tempo alone of the same files, one after another.
Memory is the sum of the resident sets of all its processes: the most in the second fifth of the run, and in the last
fifth. Everything runs on this machine, and other work on its cores falsifies all figures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import psutil
import soundfile

from benchmarks.library_shards import SECONDS
from benchmarks.tempo_music import RATE_HZ, track
from stream_analyzer.library.places import find
from tests.support.real_process import COMMAND, environment
from training.data.work import Crew
from training.music.styles import STYLES

RUNS = Path("runs/benchmarks/library")
FORMATS = {"mp3": ("MP3", "MPEG_LAYER_III"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS")}
CLIPS = 9  # cut from one song
BROKEN = 100  # one of so many
SAMPLE_S = 0.5


@dataclass(slots=True)
class Run:
    """A command that ran: how long it took, and what its processes held in memory, in MB, all along."""

    seconds: float = 0.0
    held_mb: list[float] = field(default_factory=list)
    said: str = ""

    def most_mb(self, first: float, last: float) -> float:
        """Return the most that was held between two shares of the run."""
        count = len(self.held_mb)
        return max(self.held_mb[int(first * count) : max(int(last * count), int(first * count) + 1)])


def write_song(number: int, *, folder: Path, files: int) -> None:
    """Render a song and write the files that are cut from it."""
    style = STYLES[number % len(STYLES)]
    bpm = float(np.random.default_rng(number).uniform(style.lowest_bpm, style.highest_bpm))
    sound = track(style.name, bpm, seconds=SECONDS * CLIPS + 1.0, seed=number)
    for clip in range(CLIPS):
        index = number * CLIPS + clip
        suffix, (form, subtype) = list(FORMATS.items())[index % len(FORMATS)]
        path = folder / f"{index:05d}.{suffix}"
        if index >= files:
            return
        cut = sound[clip * SECONDS * RATE_HZ : (clip + 1) * SECONDS * RATE_HZ]
        if index % BROKEN == BROKEN - 1:
            path.write_bytes((b"", b"no sound at all", np.random.default_rng(index).bytes(5000))[index % 3])
        else:
            soundfile.write(path, cut, RATE_HZ, format=form, subtype=subtype)


def generate(files: int) -> Path:
    """Return the folder with so many files, generated unless they are there."""
    folder = RUNS / f"songs-{files}"
    if not folder.exists():
        draft = folder.with_suffix(".part")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        songs = range(-(-files // CLIPS))
        Crew().work_through(partial(write_song, folder=draft, files=files), songs, unit="song")
        draft.rename(folder)
    return folder.resolve()


def watch(command: list[str]) -> Run:
    """Run a command to its end and note what it holds in memory."""
    run, began_s = Run(), time.monotonic()
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.Error):
                together = [root, *root.children(recursive=True)]
                run.held_mb.append(sum(one.memory_info().rss for one in together) / 1e6)
            time.sleep(SAMPLE_S)
        run.seconds = time.monotonic() - began_s
        run.said = process.stdout.read().decode() if process.stdout else ""
    return run


def librosa_tempo(folder: Path) -> float:
    """Return how long librosa takes for the tempo alone of all files."""
    paths = [Path(one.path) for one in find([str(folder)])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _tempo(paths[0])  # numba compiles, once
        began_s = time.monotonic()
        for path in paths:
            _tempo(path)
    return time.monotonic() - began_s


def _tempo(path: Path) -> None:
    with suppress(Exception):  # of broken files each reader raises its own
        sound, rate_hz = librosa.load(path)
        librosa.feature.tempo(y=sound, sr=rate_hz)


def main(arguments: list[str] | None = None) -> None:
    """Run everything and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.library", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--files", type=int, default=2000, metavar="N", help="so many (%(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N", help="one run each (1 2)")
    options = parser.parse_args(arguments)
    folder = generate(options.files)
    print("| what | workers | s | files a second | times the first | MB in the second fifth | MB in the last |")
    print("|---|---|---|---|---|---|---|")
    for what in (analyze, prepare):
        first_s = 0.0
        for workers in options.workers:
            run = what(folder, workers)
            first_s = first_s or run.seconds
            cells = (
                what.__name__, workers, f"{run.seconds:.0f}", f"{options.files / run.seconds:.2f}",
                f"{first_s / run.seconds:.2f}", f"{run.most_mb(0.2, 0.4):.0f}", f"{run.most_mb(0.8, 1.0):.0f}",
            )  # fmt: skip
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    seconds = librosa_tempo(folder)
    print(f"| librosa's tempo alone | 1 | {seconds:.0f} | {options.files / seconds:.2f} | - | - | - |")


def analyze(folder: Path, workers: int) -> Run:
    """Analyse all files into new tables; complain if a file is missing there."""
    out = RUNS / f"{workers}.parquet"
    shutil.rmtree(out, ignore_errors=True)
    run = watch([*COMMAND, "analyze", str(folder), "--out", str(out), "--workers", str(workers), "--json"])
    told, files = json.loads(run.said), len(list(folder.iterdir()))
    if (told["files"], told["failures"]) != (files - files // BROKEN, files // BROKEN):
        sys.exit(f"of {files} files, {files // BROKEN} of them broken, it says: {run.said}")
    return run


def prepare(folder: Path, workers: int) -> Run:
    """Make training shards of all files."""
    out = RUNS / f"shards-{workers}"
    shutil.rmtree(out, ignore_errors=True)
    return watch([sys.executable, "-m", "benchmarks.library_shards", str(folder), str(out), str(workers)])


if __name__ == "__main__":
    main()
