"""Render songs whose beats and bars are known exactly: ``python -m training.beat.songs --data DIR --out DIR``.

Shards of log-mel bytes, 50 frames a second, as `BeatClips` reads them. Seeded; shards that exist are skipped.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.library_command import add_crew_arguments
from training.beat.clips import Clip, write_clips
from training.data.dataset import to_bytes
from training.data.work import Crew
from training.music.synth import CLIP_S, Recording, Renderer

if TYPE_CHECKING:
    from stream_analyzer.types import F64

CLIPS_PER_SHARD = 24
CLEAN = 0.6  # share without effects: training adds its own to the frames


def beats(recording: Recording) -> tuple[F64, F64]:
    """Return when the beats of a recording fall, in seconds, and the place of each in its bar (1.., 0 unknown)."""
    song = recording.song
    seconds = 60.0 / song.bpm
    first = int(np.ceil(recording.start_s / seconds - song.downbeat))
    count = int(len(recording.sound) / SPEC.sample_rate_hz / seconds) + 1
    index = first + np.arange(count)
    time_s = (song.downbeat + index) * seconds - recording.start_s
    place = index % song.beats_in_bar + 1 if song.beats_in_bar else np.zeros(count)
    return np.asarray(time_s, np.float64), np.asarray(place, np.float64)


def make(renderer: Renderer, rng: np.random.Generator) -> Clip:
    """Render one song and analyse it."""
    recording = renderer.record(rng, clean=CLEAN)
    time_s, place = beats(recording)
    level = to_bytes(StreamingLogMel().push(recording.sound))[: int(CLIP_S * SPEC.frames_per_second)]
    return Clip(recording.song.kind, level, time_s, place)


def write_shard(shard: int, *, out: Path, data: Path, seed: int) -> None:
    """Render one shard and write it whole or not at all."""
    target = out / f"shard_{shard:05d}.npz"
    if not target.exists():
        renderer = Renderer(data, group="beat")
        write_clips(target, [make(renderer, np.random.default_rng([seed, shard, i])) for i in range(CLIPS_PER_SHARD)])


def main(arguments: list[str] | None = None) -> None:
    """Render shards in parallel."""
    parser = argparse.ArgumentParser(prog="python -m training.beat.songs", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with midi/*.zip")
    parser.add_argument("--out", type=Path, default=Path("runs/beat/songs"), help="where the shards go")
    parser.add_argument("--hours", type=float, default=3.0, help="of sound")
    parser.add_argument("--seed", type=int, default=1)
    add_crew_arguments(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    shards = int(np.ceil(options.hours * 3600.0 / CLIP_S / CLIPS_PER_SHARD))
    write = partial(write_shard, out=options.out, data=options.data, seed=options.seed)
    Crew.of(options).work_through(write, range(shards), unit="shard")


if __name__ == "__main__":
    main()
