"""Beats and metre on generated music of exactly known beats, as a subscriber gets them, clean and by a bad microphone.

    python -m benchmarks.beat
    python -m benchmarks.beat --patterns FOLDER  # WAV files; truth.json: {name: {bpm, beats_in_bar, first_downbeat_s}}

Pieces of `training.music`, from seeds that training doesn't use. Sound goes through the whole analyzer, all heads.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from benchmarks import tempo_music as music
from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.types import AudioBlock, Beat, Tempo
from training.beat.evaluate import Truth, score
from training.music import metres

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F32

SECONDS = 30.0
PIECES = (
    ("3/4", 90.0), ("3/4", 140.0), ("6/8", 60.0), ("12/8", 66.0), ("4/4", 72.0), ("4/4", 104.0), ("5/4", 130.0),
    ("house", 124.0), ("techno", 138.0), ("drum_and_bass", 174.0),
)  # fmt: skip
STEP_BPM, STEP_S = (128.0, 140.0), 20.0
WITHIN_MS = 35.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound at 22 050 Hz with its beats."""

    name: str
    sound: F32
    truth: Truth


def made(name: str, bpm: float) -> Piece:
    """Return a generated piece in a metre, or of a style in 4/4."""
    metre = next((one for one in metres.METRES if one.name == name), None)
    if metre:
        rng = np.random.default_rng([music.SEED, round(bpm)])
        score_ = metres.compose(metre, rng, beats=(SECONDS + 1.0) * bpm / 60.0)
        sound = music.play(score_, bpm=bpm, seconds=SECONDS)
    else:
        sound = music.track(name, bpm, seconds=SECONDS)
    return Piece(f"{name} at {bpm:.0f}", sound, regular(bpm, metre.beats if metre else 4))


def regular(bpm: float, beats_in_bar: int, *, first_s: float = 0.0) -> Truth:
    """Return beats of an exact tempo, the first of them a downbeat."""
    time_s = np.arange(first_s, SECONDS, 60.0 / bpm)
    return Truth(np.asarray(time_s, np.float64), np.asarray(np.arange(len(time_s)) % beats_in_bar + 1.0))


def read_patterns(folder: Path) -> list[Piece]:
    """Return the patterns of a folder."""
    pieces = []
    for name, facts in json.loads((folder / "truth.json").read_text()).items():
        samples, rate_hz = soundfile.read(folder / f"{name}.wav", dtype="float32", always_2d=True)
        sound = np.asarray(soxr.resample(samples.mean(axis=1), rate_hz, music.RATE_HZ), np.float32)
        truth = regular(facts["bpm"], facts["beats_in_bar"], first_s=facts["first_downbeat_s"])
        pieces.append(Piece(name, sound, truth))
    return pieces


def follow(sound: F32) -> tuple[list[Beat], float]:
    """Return the beats that are told of a sound, and the tempo shown last (0 if none)."""
    analyzer = Analyzer(load_heads(Path("models")))
    events = analyzer.feed(AudioBlock(sound[:, None], music.RATE_HZ)) + analyzer.end()
    tempi = [event.bpm for event in events if isinstance(event, Tempo)]
    return [event for event in events if isinstance(event, Beat)], tempi[-1] if tempi else 0.0


def row(piece: Piece) -> tuple[str, dict[str, float]]:
    """Judge a piece, clean and by the bad microphone; return a line of the table and the scores."""
    cells, scores = [piece.name], dict[str, float]()
    bpm = 60.0 / float(np.median(np.diff(piece.truth.time_s)))
    for kind, sound in (("clean", piece.sound), ("bad", music.through_bad_microphone(piece.sound))):
        beats, shown = follow(sound)
        found = score(piece.truth, beats)
        metre = beats[-1].beats_in_bar if beats else None
        cells += [f"{shown:.1f}", str(metre or "-"), f"{found['beat']:.2f}", f"{found['downbeat']:.2f}"]
        cells += [f"{found['first_s']:.1f} s", f"{found['foretold_ms']:.0f} ms"]
        scores |= {f"{kind}_{name}": value for name, value in found.items()}
        scores[f"{kind}_tempo"] = float(abs(shown / bpm - 1.0) <= 0.04)
    return "| " + " | ".join(cells) + " |", scores


def step_s() -> float:
    """Return how long after a cut from one tempo to another, in the middle of a beat, beats fall right again."""
    parts = [music.track(style, bpm, seconds=STEP_S) for style, bpm in zip(("techno", "house"), STEP_BPM, strict=True)]
    beats, _ = follow(np.concatenate(parts))
    truth_s = STEP_S + np.arange(0.0, STEP_S, 60.0 / STEP_BPM[1])
    late = [beat.beat_s for beat in beats if beat.beat_s > STEP_S]
    wrong = [beat_s for beat_s in late if 1e3 * np.abs(truth_s - beat_s).min() > WITHIN_MS]
    return max(wrong, default=STEP_S) - STEP_S


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a piece, and the means."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beat", description=__doc__.split("\n\n")[0])
    parser.add_argument("--patterns", type=Path, help="folder of further pieces with truth.json")
    folder = parser.parse_args(arguments).patterns
    pieces = [made(*piece) for piece in PIECES] + (read_patterns(folder) if folder else [])
    columns = ("tempo", "metre", "beat F", "downbeat F", "first", "foretold off by")
    print(
        "| piece | " + " | ".join(f"{name}, {kind}" for kind in ("clean", "bad microphone") for name in columns) + " |"
    )
    print("|---" * (1 + 2 * len(columns)) + "|")
    found = []
    for piece in pieces:
        line, scores = row(piece)
        print(line, flush=True)
        found.append(scores)
    for kind in ("clean", "bad"):
        mean = {
            name: np.nanmean([one[f"{kind}_{name}"] for one in found])
            for name in ("tempo", "metre", "beat", "downbeat")
        }
        middle = {name: np.nanmedian([one[f"{kind}_{name}"] for one in found]) for name in ("first_s", "foretold_ms")}
        print(kind + ": " + ", ".join(f"{name} {value:.3g}" for name, value in {**mean, **middle}.items()))
    low, high = STEP_BPM
    print(f"{low:.0f} to {high:.0f} BPM: beats within {WITHIN_MS:.0f} ms from {step_s():.1f} s after the cut on")


if __name__ == "__main__":
    main()
