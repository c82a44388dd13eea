"""Score the key model as it is served: sounds through the whole `Analyzer`, the int8 file, and what is told at the end.

Beside it, on the same clips: templates over the same features, and peers where they are installed (extra `bench`).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.key.head import KeyHead
from stream_analyzer.analysis.key.names import LABELS
from stream_analyzer.analysis.key.profile import salience
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.pitches import PITCHES
from stream_analyzer.errors import ConfigError
from stream_analyzer.library.engine import crew, results
from stream_analyzer.protocol.summary import RunningSummary
from stream_analyzer.types import AudioBlock, Key
from training.data.listening import Sound, read_sound
from training.key import peers, template
from training.key.pitch_set import keyed_rows, pitch_frames
from training.key.score import scores
from training.key.songs import CLIP_S, Composer, Song

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream_analyzer.types import F32

SOON_S = 15.0
SEED = 20_261_128
GENERATED = {"charts": 40, "pop909": 20, "drums": 8}
CHANGES = 8
FOLLOWED_S = 12.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What was told of one sound: its key (None for none), the one shown at the end, and when a right one was first."""

    truth: int
    told: int | None
    end: int | None
    first_right_s: float


def evaluate(model: Path, *, data: Path, split: str, through: Path | None = None) -> dict[str, Any]:
    """Return scores on GTZAN's clips with a human key, and on generated songs that nobody was taught."""
    folder, rows = keyed_rows(data)
    clips = [(folder / row["path"], key) for row, key in rows if row["split"] == split]
    if not clips:
        msg = f"no GTZAN clips with a key in split {split}"
        raise ConfigError(msg)
    with crew() as client:
        files = [(Sound(path, through=through), key) for path, key in clips]
        judged = results(client, partial(_judge_file, model), files)
        judge_song, judge_change = partial(_judge_song, model, data), partial(_judge_change, model, data)
        made = {kind: results(client, judge_song, [(kind, seed) for seed in range(n)]) for kind, n in GENERATED.items()}
        changes = results(client, judge_change, range(CHANGES))
    truth = [key for _, key in clips]
    report: dict[str, Any] = {"gtzan": _report(judged)}
    matched = [template.match(salience(pitch_frames(path))) for path, _ in clips]
    report["gtzan, templates on the same features"] = scores(truth, matched)
    for name, listen in peers.available().items():
        print(f"key: {name}", file=sys.stderr)
        report[f"gtzan, {name}"] = scores(truth, [listen(path) for path, _ in clips])
    report["generated songs"] = _report(made["charts"])
    report["generated, POP909 in other keys"] = _report(made["pop909"])
    report["drums alone"] = {
        "n": len(made["drums"]),
        "no_key": float(np.mean([one.end is None for one in made["drums"]])),
    }
    report["key changes"] = _changes(changes)
    return report


def _report(judged: Sequence[Judged]) -> dict[str, Any]:
    """Score the key shown at the end; beside it the one that is told of the whole, and when a right one came."""
    truth = [one.truth for one in judged]
    first = np.array([one.first_right_s for one in judged])
    median = float(np.median(first))
    told = scores(truth, [one.told for one in judged])
    return scores(truth, [one.end for one in judged]) | {
        "told_of_the_whole": told["weighted"],
        f"right_within_{SOON_S:.0f}_s": float(np.mean(first <= SOON_S)),
        "first_right_s_median": median if np.isfinite(median) else None,
    }


def _changes(changes: Sequence[Change]) -> dict[str, Any]:
    """Return how soon another key was shown, and whether it was held through the drums that came after it."""
    after = np.array([one.after_s for one in changes])
    held = [one.held for one in changes if one.held is not None]
    return {
        "n": len(changes),
        f"followed_within_{FOLLOWED_S:.0f}_s": float(np.mean(after <= FOLLOWED_S)),
        "after_s_median": float(np.median(after)) if np.isfinite(np.median(after)) else None,
        "held_through_drums": float(np.mean(held)) if held else None,
        "n_held": len(held),
    }


@dataclass(frozen=True, slots=True)
class Change:
    """Seconds from a change of key until the new one was shown; whether it still was after 15 s of drums alone."""

    after_s: float
    held: bool | None


@lru_cache(maxsize=1)
def _head(model: Path) -> KeyHead:
    """Load the model once a process."""
    return KeyHead(TfliteModel(model))


def _hear(model: Path, samples: F32, rate_hz: int) -> tuple[list[Key], int | None]:
    """Return the keys that the page shows, and the one that is told of the whole."""
    analyzer, summary = Analyzer([_head(model)]), RunningSummary()
    blocks = [samples[first : first + rate_hz] for first in range(0, len(samples), rate_hz)]
    events = [event for block in blocks for event in analyzer.feed(AudioBlock(block, rate_hz))]
    for event in events:
        summary.add(event)
    told = summary.key()
    return [event for event in events if isinstance(event, Key)], LABELS.index(told.label) if told else None


def _shown(key: Key) -> int | None:
    return LABELS.index(key.label) if key.label else None


def _judge(model: Path, samples: F32, rate_hz: int, *, truth: int) -> Judged:
    keys, told = _hear(model, samples, rate_hz)
    right = [key.time_s for key in keys if _shown(key) == truth]
    return Judged(truth, told, _shown(keys[-1]) if keys else None, right[0] if right else float("inf"))


def _judge_file(model: Path, asked: tuple[Sound, int]) -> Judged:
    sound, truth = asked
    return _judge(model, *read_sound(sound), truth=truth)


def _make(composer: Composer, kind: str, rng: np.random.Generator, *, seconds: float) -> Song:
    while True:
        if kind == "charts":
            song = composer.chart(rng, seconds, cadence=True)
        else:
            song = composer.pop909(rng, seconds) if kind == "pop909" else composer.drums(rng, seconds)
        if song:
            return song


def _judge_song(model: Path, data: Path, asked: tuple[str, int]) -> Judged:
    kind, seed = asked
    rng = np.random.default_rng([SEED, seed, *kind.encode()])
    song = _make(Composer(data, split="valid"), kind, rng, seconds=CLIP_S)
    return _judge(model, song.sound[:, None], PITCHES.sample_rate_hz, truth=song.key)


def _judge_change(model: Path, data: Path, seed: int) -> Change:
    """Play a song, another in another key, and drums alone."""
    rng = np.random.default_rng([SEED, seed])
    composer = Composer(data, split="valid")
    first = _make(composer, "charts", rng, seconds=CLIP_S)
    second = _make(composer, "charts", rng, seconds=CLIP_S)
    while second.key == first.key:
        second = _make(composer, "charts", rng, seconds=CLIP_S)
    drums = _make(composer, "drums", rng, seconds=CLIP_S / 2.0)
    keys, _ = _hear(model, np.concatenate([first.sound, second.sound, drums.sound])[:, None], PITCHES.sample_rate_hz)
    begun_s = len(first.sound) / PITCHES.sample_rate_hz
    ended_s = begun_s + len(second.sound) / PITCHES.sample_rate_hz
    after = [key.time_s - begun_s for key in keys if key.time_s > begun_s and _shown(key) == second.key]
    before = [key for key in keys if key.time_s <= ended_s]
    held = _shown(keys[-1]) == second.key if before and _shown(before[-1]) == second.key else None
    return Change(after[0] if after else float("inf"), held)
