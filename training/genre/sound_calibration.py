"""Calibrate the genre model of sound on what is shown: by the service, from left-out heads, as it remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.genre.output import GenreOutput
from stream_analyzer.analysis.genre.tracker import genre_memory
from stream_analyzer.analysis.manifest import load_manifest
from training.data.listening import Sound
from training.data.songs import find_label, list_songs
from training.genre.hearing import hearing, sources_left_out
from training.genre.sound_scores import calibration_error, log_softmax

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F64

    Flags = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.intp]

SETTLED_S = 10.0
TEMPERATURES = np.arange(0.8, 2.01, 0.05)
EVEN = 0.5
BAND = 0.1


@dataclass(frozen=True, slots=True)
class Moments:
    """What left-out heads said of songs: logits [windows, labels] of each clip, its true label, its song."""

    logits: list[F64]
    label: Indices
    song: npt.NDArray[np.str_]


def listen(folder: Path, data: Path) -> Moments:
    """Let each source's clips be heard by the head that it did not teach."""
    manifest = load_manifest(folder)
    labels = GenreOutput.of(manifest).labels
    known = [(song, find_label(song.genre, labels)) for song in list_songs(data)]
    chosen = [(song, label) for song, label in known if label and song.source in sources_left_out(manifest)]
    with hearing(folder) as hear:
        heard = hear(Sound(song.path, left_out=song.source) for song, _ in chosen)
    return Moments(
        logits=[clip.logits.astype(np.float64) for clip in heard],
        label=np.array([labels.index(label) for _, label in chosen]),
        song=np.array([song.song for song, _ in chosen]),
    )


def calibrate(moments: Moments, manifest: ModelManifest) -> dict[str, float]:
    """Return the temperature at which left-out songs are right as often as they say, and what is measured there.

    What is judged is what would be shown from `SETTLED_S` of a clip on; every song counts the same. The log loss is
    nearly the same around its least; the mean confidence is not.
    """

    def shown(temperature: float) -> tuple[F64, Indices, F64]:
        rows = [_remembered(logits, manifest, temperature) for logits in moments.logits]
        clip = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        _, song, count = np.unique(moments.song[clip], return_inverse=True, return_counts=True)
        return log_softmax(np.concatenate(rows) / temperature), moments.label[clip], 1.0 / count[song]

    def gap(temperature: float) -> float:
        posterior, truth, weight = shown(temperature)
        return abs(
            float(np.average(np.exp(posterior.max(axis=1)) - (posterior.argmax(axis=1) == truth), weights=weight))
        )

    best = float(min(TEMPERATURES, key=gap))
    posterior, truth, weight = shown(best)
    probability, right = np.exp(posterior.max(axis=1)), posterior.argmax(axis=1) == truth
    return {
        "temperature": round(best, 2),
        "log_loss": -float(np.average(posterior[np.arange(len(truth)), truth], weights=weight)),
        "error": calibration_error(probability, right, weights=weight),
        "confident": round(_even_chance(probability, right, weight), 2),
    }


def _remembered(logits: F64, manifest: ModelManifest, temperature: float) -> F64:
    """Return the mean logits [windows, labels] that the service would have shown of a clip from `SETTLED_S` on."""
    memory = genre_memory(replace(manifest, calibration=manifest.calibration | {"temperature": temperature}))
    ends_s = manifest.first_s + manifest.every_s * np.arange(len(logits))
    means = [memory.update(row, time_s=end_s) for row, end_s in zip(logits, ends_s, strict=True)]
    return np.stack(means)[ends_s >= SETTLED_S] if means else logits


def _even_chance(probability: F64, right: Flags, weight: F64) -> float:
    """Return the least probability from which on a label shown at about that probability is likelier right than not."""
    for least in np.arange(0.2, 0.9, 0.01):
        near = (probability >= least) & (probability < least + BAND)
        if near.any() and np.average(right[near], weights=weight[near]) >= EVEN:
            return float(least)
    return 0.9
