"""Songs whose beats and bars are known exactly: what ``training.prepare music --known beats`` writes.

A shard holds log-mel bytes, 50 frames a second, as `BeatClips` reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from training.beat.clips import Clip, write_clips
from training.data.dataset import to_bytes
from training.music.synth import CLIP_S, Recording, Renderer

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F64
    from training.music.shards import Shard

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


def write_shard(shard: Shard, *, data: Path) -> None:
    """Render the songs of a shard and write them whole or not at all."""
    renderer = Renderer(data, group="beat")
    write_clips(shard.target.name, [make(renderer, rng) for rng in shard.rngs()])
