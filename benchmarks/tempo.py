"""How fast and how right the tempo is on generated music of exactly known tempo, beside aubio and librosa.

Run: python -m benchmarks.tempo. Beats, bars and metre follow, by `benchmarks.beat`. The peers come with the extra
`bench`; one that is not installed is left out and named. The music is rendered once (fluidsynth must be installed) and
kept under runs/. It shares its generator with the training data, so it checks the path and compares systems; how good
the model is on real music is told by `training.evaluate`.
"""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from benchmarks import beat
from benchmarks import tempo_music as music
from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.beat.head import BeatHead
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.tempo.head import TempoHead
from stream_analyzer.types import AudioBlock, Tempo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.types import F32

SWEEP = (
    ("ballad", 60.0), ("soul", 70.0), ("hip_hop", 85.0), ("funk", 100.0), ("disco", 115.0), ("house", 128.0),
    ("trance", 140.0), ("eurobeat", 160.0), ("drum_and_bass", 174.0), ("hardcore", 190.0),
)  # fmt: skip
STEPS = (("house", "trance"), ("techno", "techno"), ("rock", "breakbeat"))
STEP_BPM = (128.0, 140.0)
STEP_S, STAYS_S = 20.0, 5.0
SET = [("house", 124.0), ("techno", 132.0), ("drum_and_bass", 174.0), ("hip_hop", 92.0)]
SET_TRACK_S, SET_FADE_S = 126.0, 8.0  # eight minutes in all
EXACT, CLOSE = 0.04, 0.02
EVERY_S = 0.5
PEER_WINDOW_S, PEER_FIRST_S = 10.0, 3.0
PEER_RATE_HZ = 44_100


COLUMNS = (
    "", "exact (4 %), clean", "bad microphone", "error when locked and right", "first right: median, last",
    "bad microphone", "128 to 140 BPM followed after", "bad microphone", "8-minute set within 2 %",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """What a system shows at a time; ``bpm`` is 0 while it shows nothing, ``state`` empty where it has none."""

    time_s: float
    bpm: float
    state: str = "locked"


def ours(sound: F32) -> list[Shown]:
    """Follow by what hears tempo in the analyzer: the tempo's head, and that of beats as its witness."""
    beats = BeatHead(TfliteModel(Path("models/beat")))
    analyzer = Analyzer([TempoHead(TfliteModel(Path("models/tempo")), ask=beats.tempo), beats])
    events = analyzer.feed(AudioBlock(sound[:, None], music.RATE_HZ))
    return [Shown(event.time_s, event.bpm, event.state) for event in events if isinstance(event, Tempo)]


def aubio_ledfx(sound: F32) -> list[Shown]:
    """Follow by aubio's tempo object as LedFx uses it: windows of 1024, hops of 512 samples at 44.1 kHz."""
    import aubio  # noqa: PLC0415 - a peer that may not be there

    hop, samples = 512, soxr.resample(sound, music.RATE_HZ, PEER_RATE_HZ)
    tracker = aubio.tempo("default", 1024, hop, PEER_RATE_HZ)
    shown = []
    for end in range(hop, len(samples) + 1, hop):
        tracker(samples[end - hop : end])
        if end * 2 // PEER_RATE_HZ > (end - hop) * 2 // PEER_RATE_HZ:
            shown.append(Shown(end / PEER_RATE_HZ, float(tracker.get_bpm())))
    return shown


def librosa_rolling(sound: F32) -> list[Shown]:
    """Follow by librosa's beat tracker over the last 10 s, twice a second."""
    import librosa  # noqa: PLC0415

    hop = 512
    strength = librosa.onset.onset_strength(y=sound, sr=music.RATE_HZ, hop_length=hop)
    shown = []
    for time_s in np.arange(PEER_FIRST_S, len(sound) / music.RATE_HZ, EVERY_S):
        end, length = round(time_s * music.RATE_HZ / hop), round(PEER_WINDOW_S * music.RATE_HZ / hop)
        part = strength[max(0, end - length) : end]
        bpm, _ = librosa.beat.beat_track(onset_envelope=part, sr=music.RATE_HZ, hop_length=hop)
        shown.append(Shown(float(time_s), float(np.atleast_1d(bpm)[0])))
    return shown


SYSTEMS: dict[str, tuple[str, Callable[[F32], list[Shown]]]] = {
    "stream-analyzer": ("stream_analyzer", ours),
    "aubio-ledfx": ("aubio", aubio_ledfx),
    "librosa": ("librosa", librosa_rolling),
}


def off(shown: Shown, piece: music.Piece) -> float:
    """Return the relative error against the nearest tempo that is right now."""
    return min((abs(shown.bpm / bpm - 1.0) for bpm in piece.tempi_at(shown.time_s)), default=float("inf"))


def sweep(follow: Callable[[F32], list[Shown]], *, bad: bool, pieces: int) -> list[dict[str, float]]:
    """Return for each piece: what is shown last, its error when locked and right, when it was first right."""
    rows = []
    for (style, bpm), seed in product(SWEEP, range(pieces)):
        piece = music.steady(style, bpm, seed=seed)
        shown = follow(music.through_bad_microphone(piece.sound, seed=seed) if bad else piece.sound)
        right = [(one, off(one, piece)) for one in shown if off(one, piece) <= EXACT]
        errors = [error for one, error in right if one.state == "locked"]
        rows.append({
            "bpm": bpm,
            "shown": shown[-1].bpm,
            "error": float(np.mean(errors)) if errors else float("nan"),
            "first_s": right[0][0].time_s if right else float("inf"),
        })  # fmt: skip
    return rows


def step_s(follow: Callable[[F32], list[Shown]], styles: tuple[str, str], *, bad: bool) -> float:
    """Return how long after a cut from 128 to 140 BPM the new tempo is shown, for `STAYS_S` at least; else infinity."""
    piece = music.mix(list(zip(styles, STEP_BPM, strict=True)), seconds=STEP_S, fade_s=0.0)
    sound = music.through_bad_microphone(piece.sound) if bad else piece.sound
    since_s = None
    for one in follow(sound):
        if one.time_s <= STEP_S or off(one, piece) > EXACT / 2:
            since_s = None
        elif since_s is None:
            since_s = one.time_s
        elif one.time_s - since_s >= STAYS_S:
            return since_s - STEP_S
    return float("inf")


def share_close(follow: Callable[[F32], list[Shown]]) -> float:
    """Return the share of an eight-minute set, from its first second on, in which a true tempo is shown within 2 %."""
    piece = music.mix(SET, seconds=SET_TRACK_S, fade_s=SET_FADE_S)
    shown = follow(piece.sound)
    close = sum(off(one, piece) <= CLOSE for one in shown)
    return close * EVERY_S / (len(piece.sound) / music.RATE_HZ)


def behaviour() -> dict[str, str]:
    """Return how our own tracker meets a pitch fader, a breakdown, rubato and noise."""
    sound, speed = music.faded(music.track("techno", 128.0, seconds=125.0), depth=0.08, ramp_s=30.0)
    now = [(one, 128.0 * speed[round(one.time_s * music.RATE_HZ) - 1]) for one in ours(sound)]
    errors = [abs(one.bpm / true_bpm - 1.0) for one, true_bpm in now]
    fader = f"error {np.mean(errors):.1%} on average, {np.max(errors):.1%} at most"
    bpm, beats = 126.0, (64, 48, 32)
    starts = np.cumsum((0, *beats)) * 60.0 / bpm
    events = ours(music.breakdown("house", bpm, beats=beats))
    inside = [one for one in events if starts[1] <= one.time_s < starts[2]]
    kept = np.mean([abs(one.bpm / bpm - 1.0) <= CLOSE for one in inside])
    back = [one.time_s for one in events if one.time_s >= starts[2] and abs(one.bpm / bpm - 1.0) <= CLOSE]
    states = "; ".join(f"{state} {share:.0%}" for state, share in _states(inside).items())
    noise = np.random.default_rng(0).normal(0.0, music.LEVEL, 40 * music.RATE_HZ).astype(np.float32)
    return {
        "pitch fader, 128 BPM to +8 % in 30 s, to -8 % in 60 s, back in 30 s": fader,
        f"breakdown of {beats[1] * 60.0 / bpm:.0f} s": f"tempo kept {kept:.0%} of it ({states}); "
        + (f"right {back[0] - starts[2]:.1f} s after it" if back else "never right after it"),
        "rubato piano, after 20 s": _say([one for one in ours(music.rubato(seconds=60.0)) if one.time_s > 20.0]),
        "white noise, after 20 s": _say([one for one in ours(noise) if one.time_s > 20.0]),
    }


def _states(shown: list[Shown]) -> dict[str, float]:
    states = [one.state for one in shown]
    return {state: states.count(state) / len(states) for state in sorted(set(states))}


def _say(shown: list[Shown]) -> str:
    return "; ".join(f"{state} {share:.0%}" for state, share in _states(shown).items())


def measure(follow: Callable[[F32], list[Shown]], *, pieces: int) -> dict[str, Any]:
    """Return everything that is compared, over so many pieces of each tempo."""
    clean, bad = sweep(follow, bad=False, pieces=pieces), sweep(follow, bad=True, pieces=pieces)
    return {
        "clean": clean,
        "bad": bad,
        "steps_s": [step_s(follow, styles, bad=False) for styles in STEPS],
        "steps_bad_s": [step_s(follow, styles, bad=True) for styles in STEPS],
        "set": share_close(follow),
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the comparison as a Markdown table."""
    lines = [
        "|" + "|".join(f" {title} " for title in COLUMNS) + "|",
        "|---" * len(COLUMNS) + "|",
    ]
    for name, result in found.items():
        cells = [name]
        cells += [f"{_exact(result[kind])} of {len(result[kind])}" for kind in ("clean", "bad")]
        cells.append(f"{np.nanmean([row['error'] for row in result['clean']]):.2%}")
        for kind in ("clean", "bad"):
            first = [row["first_s"] for row in result[kind]]
            cells.append(f"{np.median(first):.1f} s, {np.max(first):.1f} s")
        cells += [", ".join(f"{one:.1f}" for one in result[kind]) + " s" for kind in ("steps_s", "steps_bad_s")]
        cells.append(f"{result['set']:.0%}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _exact(rows: list[dict[str, float]]) -> int:
    return sum(abs(row["shown"] / row["bpm"] - 1.0) <= EXACT for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything; print the comparison, each tempo, and how we behave otherwise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tempo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--pieces", type=int, default=1, help="of each tempo in the sweep")
    parser.add_argument("--patterns", help="folder of further pieces for beats and metre, as benchmarks.beat reads it")
    options = parser.parse_args(arguments)
    pieces = options.pieces
    found = {}
    for name, (package, follow) in SYSTEMS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{name} is left out: it is not installed (pip install -e .[bench])")
            continue
        found[name] = measure(follow, pieces=pieces)
    print(table(found))
    for name, result in found.items():
        for kind in ("clean", "bad"):
            wrong = [row for row in result[kind] if abs(row["shown"] / row["bpm"] - 1.0) > EXACT]
            print(f"{name}, {kind}, wrong: " + ", ".join(f"{row['bpm']:.0f} as {row['shown']:.1f}" for row in wrong))
    for name, text in behaviour().items():
        print(f"{name}: {text}")
    beat.main(["--patterns", options.patterns] if options.patterns else [])


if __name__ == "__main__":
    main()
