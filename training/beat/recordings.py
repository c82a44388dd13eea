"""Recordings for the beat network: GTZAN's clips with the beats that people tapped, and music that a teacher labels.

    python -m training.beat.recordings --music FOLDER --wheel BeatNet-1.1.3-py3-none-any.whl --out DIR

Leaves tapped_train.npz and tapped_valid.npz, and heard.npz (that of excerpts of ``--music``, a folder of music without
labels, and of the clips of `HEARD` sets). GTZAN is never labelled by a teacher.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from training.beat.clips import Clip, write_clips
from training.beat.teacher import MODELS, BeatNet, listen
from training.data.dataset import to_bytes
from training.data.listening import read_mono
from training.data.sources import audio_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.types import F32, F64

HEARD = ("fma_small", "free_songs", "genrewave_songs", "radio2")
RATE_HZ = SPEC.sample_rate_hz
ENDINGS = (".ogg", ".mp3", ".flac", ".opus", ".oga", ".wav")
EXCERPT_S, WARM_UP_S = 24.0, 6.0  # the teacher has listened for a while before the student begins
LEAST_RMS = 1e-3
TOGETHER = 16  # sounds that the teacher hears side by side


def read_taps(data: Path) -> dict[str, tuple[F64, F64]]:
    """Return for each GTZAN clip when people tapped, in seconds, and each beat's place in the bar."""
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with (data / "annotations" / "gtzan_beats.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["clip"]].append((float(row["time_s"]), float(row["beat_in_bar"] or 0)))
    return {clip: (np.array(found)[:, 0], np.array(found)[:, 1]) for clip, found in rows.items()}


def tapped(data: Path, split: str) -> list[tuple[Path, F64, F64]]:
    """Return the GTZAN clips of a split that exist as sound and have taps: file, times and places."""
    taps, (folder, rows) = read_taps(data), audio_rows(data)
    paths = [folder / row["path"] for row in rows if row["dataset"] == "gtzan" and row["split"] == split]
    return [(path, *taps[path.stem]) for path in paths if path.stem in taps]


def excerpts(folder: Path, *, most: int, seed: int) -> Iterator[tuple[str, F32]]:
    """Yield random excerpts of the files in ``folder``, at most ``most`` of each; none of what is short or silent."""
    needed_s = EXCERPT_S + WARM_UP_S
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)):
        rng = np.random.default_rng([seed, number])
        try:
            duration_s = soundfile.info(path).duration
        except soundfile.LibsndfileError:
            continue
        for _ in range(min(most, int(duration_s / needed_s))):
            sound = read_mono(path, RATE_HZ, start_s=rng.uniform(0.0, duration_s - needed_s), length_s=needed_s)
            if float(np.sqrt(np.mean(sound**2))) > LEAST_RMS:
                yield path.stem, sound


def collected(data: Path) -> Iterator[tuple[str, F32]]:
    """Yield the clips of the `HEARD` sets."""
    folder, rows = audio_rows(data)
    for row in rows:
        if row["dataset"] in HEARD:
            yield row["path"], read_mono(folder / row["path"], RATE_HZ, length_s=EXCERPT_S + WARM_UP_S)


def heard(sounds: Iterator[tuple[str, F32]], teachers: list[BeatNet], *, warm_up_s: float) -> Iterator[Clip]:
    """Yield clips labelled by the ``teachers``, without their first ``warm_up_s``."""
    skipped, waiting = round(warm_up_s * SPEC.frames_per_second), []
    for name, sound in sounds:
        waiting.append((name, sound))
        if len(waiting) == TOGETHER:
            yield from _label(waiting, teachers, skipped)
            waiting = []
    if waiting:
        yield from _label(waiting, teachers, skipped)


def _label(sounds: list[tuple[str, F32]], teachers: list[BeatNet], skipped: int) -> Iterator[Clip]:
    none = np.empty(0)
    for (name, sound), found in zip(sounds, listen([sound for _, sound in sounds], teachers), strict=True):
        level = to_bytes(StreamingLogMel().push(sound))
        frames = slice(skipped, min(len(level), len(found)))
        yield Clip(name, level[frames], none, none, heard=found[frames])


def main(arguments: list[str] | None = None) -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(prog="python -m training.beat.recordings", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--music", type=Path, required=True, help="folder of music without labels")
    parser.add_argument("--wheel", type=Path, required=True, help="BeatNet's wheel, for its weights alone")
    parser.add_argument("--out", type=Path, default=Path("runs/beat/recordings"))
    parser.add_argument("--most", type=int, default=2, help="excerpts of a file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid"):
        clips = [
            Clip(path.stem, to_bytes(StreamingLogMel().push(read_mono(path, RATE_HZ))), time_s, place)
            for path, time_s, place in tapped(options.data, split)
        ]
        write_clips(options.out / f"tapped_{split}.npz", clips)
    teachers = [BeatNet(options.wheel, number) for number in MODELS]
    labelled = list(heard(collected(options.data), teachers, warm_up_s=0.0))
    labelled += heard(excerpts(options.music, most=options.most, seed=options.seed), teachers, warm_up_s=WARM_UP_S)
    write_clips(options.out / "heard.npz", labelled)


if __name__ == "__main__":
    main()
