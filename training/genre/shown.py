"""Score the genre as a listener gets it: the label that is shown, of all labels, after 10 s and at the end of a clip.

A song counts once, however many clips are cut from it: they share its vote. Beside the average over songs stands that
over genres, from which calling everything one genre gains nothing. Intervals: 95 %, from a bootstrap over songs (Efron
1979). A clip that trained the model never counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.genre.output import GenreOutput
from stream_analyzer.analysis.manifest import load_manifest
from training.data.listening import Sound
from training.data.songs import SOURCES, find_label, list_songs
from training.genre.hearing import sources_left_out
from training.genre.scores import calibration_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F32, F64, Genre
    from training.data.dataset import Integers
    from training.data.songs import Song
    from training.genre.hearing import Hear

SOON_S = 10.0
RESAMPLES = 2000
LEFT_OUT = ", left out"
TOGETHER = "all sources left out, together"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a listener saw of one clip of ``song``, whose true label is ``truth``.

    ``soon`` and ``end`` are the labels after 10 s and at the end (empty: none was shown), ``share`` is how much of the
    time the true one was shown, ``scores`` are the probabilities of all labels at the end, likeliest first, ``named``
    tells whether the last label was more than a guess.
    """

    song: str
    truth: str
    soon: str
    end: str
    share: float
    scores: tuple[tuple[str, float], ...]
    named: bool


def see(song: str, truth: str, genres: Sequence[Genre]) -> Shown:
    """Sum up the genres that were shown of a clip."""
    soon = [genre for genre in genres if genre.time_s <= SOON_S]
    last = genres[-1] if genres else None
    return Shown(
        song=song,
        truth=truth,
        soon=(soon[-1].label or "") if soon else "",
        end=(last.label or "") if last else "",
        share=float(np.mean([genre.label == truth for genre in genres])) if genres else 0.0,
        scores=tuple((score.label, score.p) for score in last.scores) if last else (),
        named=last is not None and last.sure and last.state == "music",
    )


def evaluate(folder: Path, hear: Hear, *, data: Path, split: str, through: Path | None = None) -> dict[str, Any]:
    """Score the model in ``folder`` as shown, by source and of all left-out sources together; see `listen`."""
    heard = listen(folder, hear, data=data, split=split, through=through)
    parts = [part for name, part in heard.items() if name.endswith(LEFT_OUT)]
    heard[TOGETHER] = [clip for clips, _ in parts for clip in clips], sum(unnamed for _, unnamed in parts)
    return {name: {"no_such_label": unnamed, **score(clips)} for name, (clips, unnamed) in heard.items() if clips}


def listen(
    folder: Path, hear: Hear, *, data: Path, split: str, through: Path | None = None
) -> dict[str, tuple[list[Shown], int]]:
    """Return what a listener sees of each source's clips, and how many have a genre that no label means.

    Clips that taught the published head do not count. Where the model comes with heads that a source did not teach,
    all clips of such a source are heard by its head too, under "SOURCE, left out". ``through`` is a script that spoils
    each sound first.
    """
    manifest = load_manifest(folder)
    labels, left_out = GenreOutput.of(manifest).labels, sources_left_out(manifest)
    found: dict[str, tuple[list[Shown], int]] = {}
    for source in SOURCES:
        songs = [song for song in list_songs(data) if song.source == source]
        how = Sound(data, through=through)
        found[source] = _see([song for song in songs if counts(song, manifest, split=split)], hear, labels, how)
        if source in left_out:
            found[source + LEFT_OUT] = _see(songs, hear, labels, replace(how, left_out=source))
    return found


def _see(songs: list[Song], hear: Hear, labels: Sequence[str], how: Sound) -> tuple[list[Shown], int]:
    """Hear the clips whose genre is one of ``labels``, each as ``how`` says; return them and the number of others."""
    named = [(song, label) for song in songs if (label := find_label(song.genre, labels))]
    heard = hear(replace(how, path=song.path) for song, _ in named)
    return [see(s.song, label, h.genres) for (s, label), h in zip(named, heard, strict=True)], len(songs) - len(named)


def counts(song: Song, manifest: ModelManifest, *, split: str) -> bool:
    """Tell whether a clip is of the split and did not train the model."""
    return song.split == split and split not in manifest.training.get("heard", {}).get(song.source, ())


def score(clips: Sequence[Shown]) -> dict[str, Any]:
    """Return the scores of the clips of one source."""
    known = {clip.truth for clip in clips}
    right = {
        "shown_at_end": [clip.end == clip.truth for clip in clips],
        "shown_after_10_s": [clip.soon == clip.truth for clip in clips],
        "shown_over_time": [clip.share for clip in clips],
        "first_two": [clip.truth in [label for label, _ in clip.scores[:2]] for clip in clips],
        "among_known": [next((name for name, _ in clip.scores if name in known), "") == clip.truth for clip in clips],
    }
    named = [clip for clip in clips if clip.named]
    p = np.array([dict(clip.scores).get(clip.truth, 0.0) for clip in clips])
    return {
        "n": len(clips),
        "songs": len({clip.song for clip in clips}),
        **{name: over_songs(clips, np.array(values, np.float64)) for name, values in right.items()},
        "named": len(named) / len(clips),
        "named_right": float(np.mean([clip.end == clip.truth for clip in named])) if named else None,
        "log_loss": float(-np.log(np.maximum(p, 1e-6)).mean()),
        **calibration(clips),
        "recall": _recall(clips),
    }


def calibration(clips: Sequence[Shown]) -> dict[str, Any]:
    """Return the calibration error of the likeliest label at the end, and what it would be if all were well.

    The error of few clips is never near 0: bins of a handful of clips miss their confidence by chance. ``ece_honest``
    is its mean where each label is right as often as its probability says (Broecker and Smith 2007), ``ece_honest_95``
    the value that only one such model in twenty passes; ``ece_95`` is the interval over songs.
    """
    table, truth = posteriors(clips)
    songs = np.array([clip.song for clip in clips])
    rows = [np.flatnonzero(songs == song) for song in np.unique(songs)]
    rng = np.random.default_rng(0)
    drawn = [np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]) for _ in range(RESAMPLES)]
    wins, p = table.argmax(axis=1), table.max(axis=1)
    honest = [calibration_error(table, np.where(rng.random(len(p)) < p, wins, -1)) for _ in range(RESAMPLES)]
    return {
        "ece": calibration_error(table, truth),
        "ece_95": _interval([calibration_error(table[some], truth[some]) for some in drawn]),
        "ece_honest": float(np.mean(honest)),
        "ece_honest_95": float(np.quantile(honest, 0.95)),
    }


def over_songs(clips: Sequence[Shown], right: F64) -> dict[str, Any]:
    """Return the averages of ``right`` [clips] over songs and over genres, each with its 95 % interval."""
    keys = sorted({(clip.truth, clip.song) for clip in clips})
    votes = {key: [] for key in keys}  # type: dict[tuple[str, str], list[float]]
    for clip, one in zip(clips, right, strict=True):
        votes[clip.truth, clip.song].append(float(one))
    vote = np.array([np.mean(votes[key]) for key in keys])
    genres, genre = np.unique([truth for truth, _ in keys], return_inverse=True)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(keys), len(keys)) for _ in range(RESAMPLES)]
    return {
        "by_song": float(vote.mean()),
        "by_song_95": _interval([float(vote[rows].mean()) for rows in drawn]),
        "over_genres": _mean_of_means(vote, genre, len(genres)),
        "over_genres_95": _interval([_mean_of_means(vote[rows], genre[rows], len(genres)) for rows in drawn]),
    }


def _mean_of_means(vote: F64, genre: np.ndarray[Any, np.dtype[np.int64]], count: int) -> float:
    """Average first within each genre that is there, then over those."""
    votes, sums = np.bincount(genre, minlength=count), np.bincount(genre, vote, count)
    return float((sums[votes > 0] / votes[votes > 0]).mean())


def _interval(values: list[float]) -> list[float]:
    return [round(float(value), 4) for value in np.quantile(values, (0.025, 0.975))]


def posteriors(clips: Sequence[Shown]) -> tuple[F32, Integers]:
    """Return the probabilities float32 [clips, labels] at the end, and the index of each clip's true label."""
    names = sorted({name for clip in clips for name, _ in clip.scores} | {clip.truth for clip in clips})
    table = np.array([[dict(clip.scores).get(name, 0.0) for name in names] for clip in clips], np.float32)
    return table, np.array([names.index(clip.truth) for clip in clips])


def _recall(clips: Sequence[Shown]) -> dict[str, str]:
    """Return how many clips of each genre were right at the end, as "3 of 7"."""
    found = {}
    for truth in sorted({clip.truth for clip in clips}):
        own = [clip.end == truth for clip in clips if clip.truth == truth]
        found[truth] = f"{sum(own)} of {len(own)}"
    return found


def average(report: dict[str, Any], sources: Iterable[str]) -> dict[str, float]:
    """Return the plain averages of the scores at the end over some sources of a report."""
    parts = [report[source] for source in sources if source in report]
    pairs = [("shown_at_end", "by_song"), ("shown_at_end", "over_genres"), ("first_two", "by_song")]
    return {f"{name}_{over}": float(np.mean([part[name][over] for part in parts])) for name, over in pairs}
