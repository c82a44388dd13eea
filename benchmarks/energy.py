"""Build-ups, drops and breakdowns: found in generated sets, and told where there are none, as a subscriber gets them.

    python -m benchmarks.energy --data ../shared/data

Sets come from `training.music.sets`, of seeds by which nothing was chosen. Music without known drops are the clips of
GTZAN's valid list and the free songs, one after another: where two meet is a cut, and a drop told there is false too.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.energy.head import EnergyHead
from stream_analyzer.analysis.moment.head import MomentHead
from stream_analyzer.types import AudioBlock, Moment
from training.data.listening import read_mono
from training.data.sources import audio_rows
from training.music import effects, sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F32

SEEDS = (5, 6)  # 1 to 4 were there to choose by
TRACKS, SONGS = 10, 5
WITHIN_S = 1.0
CUT_S = 2.0
KINDS = ("drop", "build_up", "breakdown")


@dataclass(frozen=True, slots=True)
class Score:
    """Turns of a kind: how many there are, how many were told in time, how late, and how many were told without one."""

    there: int
    found: int
    late_s: float
    false: int


def generated(seed: int) -> sets.Track:
    """Return a set: tracks with two drops each, and songs with none between them."""
    rng = np.random.default_rng([77, seed])
    tracks = [sets.dance_track(rng) for _ in range(TRACKS)]
    for index in range(SONGS):
        tracks.insert(2 * index, sets.plain_song(rng))
    return sets.mixed(tracks, rng)


def hear(sound: F32) -> list[Moment]:
    """Return the moments that are told of a sound."""
    analyzer = Analyzer([EnergyHead(), MomentHead()])
    blocks = np.array_split(sound[:, None], max(1, len(sound) // sets.RATE_HZ))
    events = [event for block in blocks for event in analyzer.feed(AudioBlock(block, sets.RATE_HZ))]
    return [event for event in events if isinstance(event, Moment)]


def score(turns: Sequence[sets.Turn], moments: Sequence[Moment], kind: str) -> Score:
    """Judge one kind: a drop has to be told within a second; the others while they last, a breakdown's build-up too."""
    told = [moment for moment in moments if moment.turn == kind]
    used: set[float] = set()
    late_s = []
    for index, turn in enumerate(turns):
        if turn.what != kind:
            continue
        end_s = turn.at_s + WITHIN_S if kind == "drop" else turns[index + 1].at_s
        first_s = turn.at_s - WITHIN_S
        right = [moment for moment in told if first_s <= moment.at_s and turn.at_s - WITHIN_S <= moment.time_s <= end_s]
        used |= {moment.time_s for moment in right}
        late_s += [right[0].time_s - turn.at_s] if right else []
    there = sum(turn.what == kind for turn in turns)
    return Score(there, len(late_s), float(np.median(late_s)) if late_s else np.nan, len(told) - len(used))


def music(data: Path, *, only: str, split: str | None) -> tuple[F32, list[float]]:
    """Return the clips of a collection one after another, and where they meet, in seconds."""
    folder, rows = audio_rows(data)
    chosen = [row for row in rows if row["dataset"] == only and split in (None, row["split"])]
    sounds = [read_mono(folder / row["path"], sets.RATE_HZ) for row in chosen]
    cuts_s = np.cumsum([len(sound) / sets.RATE_HZ for sound in sounds])[:-1]
    return np.concatenate(sounds), list(cuts_s)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each set and kind, and one for each collection."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.energy", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with audio/ (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of the sets (%(default)s)")
    options = parser.parse_args(arguments)
    print("| sound | hours | turn | there | found | told after | false |\n|---|---|---|---|---|---|---|")
    for seed in options.seeds:
        made = generated(seed)
        rng = np.random.default_rng(seed)
        for name, sound in (("", made.sound), (", rooms and microphones", effects.random_chain(made.sound, rng))):
            moments = hear(sound)
            for kind in KINDS:
                one = score(made.turns, moments, kind)
                cells = (f"set {seed}{name}", f"{made.duration_s / 3600:.2f}", kind, one.there, one.found)
                print(f"| {' | '.join(map(str, cells))} | {one.late_s:.1f} s | {one.false} |", flush=True)
    for only, split in (("gtzan", "valid"), ("free_songs", None)):
        sound, cuts_s = music(options.data, only=only, split=split)
        moments = hear(sound)
        for kind in KINDS:
            at_s = [moment.time_s for moment in moments if moment.turn == kind]
            near = sum(bool(np.abs(np.array(cuts_s) - time_s).min() <= CUT_S) for time_s in at_s)
            hours = len(sound) / sets.RATE_HZ / 3600
            print(f"| {only} {split or ''} | {hours:.2f} | {kind} | 0 | | | {len(at_s)}, {near} at cuts |", flush=True)


if __name__ == "__main__":
    main()
