"""The feature files of FMA-small and GTZAN as music for the network of sound: spread over time, heard, put right.

They hold one frame each 234 or 77 ms where the network wants one each 16 ms; what lies between is interpolated, so it
hears a blurred song. Clips that exist as sound are blurred alike, and teach a ridge regression from what the network
makes of a blurred window to what it makes of the window itself.
"""

from __future__ import annotations

import logging
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tf_keras as keras

from stream_analyzer.analysis.features import SPEC, mel_frequencies
from stream_analyzer.analysis.genre.picture import PICTURE_FRAMES, PICTURE_SPEC, picture
from stream_analyzer.errors import ConfigError
from training.data.fma_picture import FMA_COLUMNS, FMA_SPEC, fma_picture
from training.data.listening import read_mono
from training.data.songs import find_label
from training.data.sources import FMA_RANGE_DB, FMA_TOP_LEVEL, NEPER_PER_DB, genre_files, gtzan_log_mel
from training.genre.collection import LABELS
from training.genre.embedded import Embedded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from stream_analyzer.types import F32, F64, U8
    from training.genre.collection import Clip

    Song = tuple[F32, F64]  # columns and their times

log = logging.getLogger(__name__)

_SEPARATORS = re.compile("[|,;]")
FINER = ("Reggae", "Metal")
FMA_S = 30.0
GTZAN_FRAME_S = 512 / 22_050
LOUDEST = np.float32(np.log(10.0))  # of a picture, whose levels are relative; far above the quietest that counts
BLURRED_S = 12.05  # of each clip that exists as sound: four windows
SHRINK = 0.1  # of the map
STARTS_S = 0.5 + 5.9 * np.arange(5)  # of the windows of a picture that are heard
WINDOW_S = PICTURE_FRAMES * PICTURE_SPEC.hop / PICTURE_SPEC.sample_rate_hz
LEAST_DEVIATION = 0.01
MOST_DEVIATIONS = 5.0


@dataclass(frozen=True, slots=True)
class Track:
    """A track of a feature file: its top genre, all its words, who made it, its split."""

    genre: str
    words: tuple[str, ...]
    group: str
    split: str


@dataclass(frozen=True, slots=True)
class Translation:
    """What is heard of a blurred window -> embedding of the window itself: a linear map of standardised values."""

    mean: F64
    deviation: F64
    kernel: F64

    def embedding(self, blurred: Embedded) -> F32:
        """Return float32 [windows, 200]."""
        values = (_values(blurred) - self.mean) / self.deviation
        values = np.clip(values, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        return np.asarray(values @ self.kernel[:-1] + self.kernel[-1], np.float32)


def translate(blurred: Embedded, clean: F32, *, shrink: float = SHRINK) -> Translation:
    """Fit the map from ``blurred`` windows to the embedding ``clean`` [windows, 200] of the same windows."""
    values = _values(blurred)
    mean, deviation = values.mean(axis=0), values.std(axis=0) + LEAST_DEVIATION
    standard = np.column_stack([(values - mean) / deviation, np.ones(len(values))])
    square = standard.T @ standard
    square[np.diag_indices(len(square) - 1)] += shrink * len(values)
    return Translation(mean, deviation, np.asarray(np.linalg.solve(square, standard.T @ clean), np.float64))


def spread(columns: F32, times_s: F64, starts_s: Iterable[float]) -> F32:
    """Return what the network sees of a song of which single frames are known.

    Parameters
    ----------
    columns
        float32 [n, 96]: the natural logarithm of power in the network's bands.
    times_s
        float64 [n]: the middle of each frame.
    starts_s
        Where windows begin.

    Returns
    -------
    float32 array [windows, 187, 96]
        Straight lines in decibels between the frames.
    """
    middle_s = (np.arange(PICTURE_FRAMES) * PICTURE_SPEC.hop + PICTURE_SPEC.n_fft / 2) / PICTURE_SPEC.sample_rate_hz
    seen = []
    for start_s in starts_s:
        place = np.interp(start_s + middle_s, times_s, np.arange(len(times_s)))
        below = np.minimum(place.astype(np.intp), len(times_s) - 2)
        share = (place - below).astype(np.float32)[:, None]
        seen.append(picture(np.asarray((1.0 - share) * columns[below] + share * columns[below + 1], np.float32)))
    return np.stack(seen)


def fma_columns(level: U8, *, length_s: float = FMA_S) -> tuple[F32, F64]:
    """Return columns and times of an FMA picture, uint8 [109, 128]: its lowest 96 bands are the network's."""
    decibels = level[: PICTURE_SPEC.n_mels].T.astype(np.float32) * (FMA_RANGE_DB / FMA_TOP_LEVEL)
    times_s = (np.arange(FMA_COLUMNS) + 0.5) / FMA_COLUMNS * length_s
    return (decibels - decibels.max()) * np.float32(NEPER_PER_DB) + LOUDEST, times_s


def read_fma(data: Path) -> tuple[list[Track], Iterator[Song]]:
    """Return the tracks of FMA-small's file in ``data``, and the columns and times of each."""
    with _opened(data, "fma_small_mel") as file:
        rows = zip(file["genre"], file["genres_all"], file["group"], file["split"], strict=True)
        tracks = [
            Track(str(g), tuple(_SEPARATORS.split(str(words))), str(group), str(s)) for g, words, group, s in rows
        ]
        levels = file["level"]
    return tracks, (fma_columns(level) for level in levels)


def read_gtzan(data: Path) -> tuple[list[Track], Iterator[Song]]:
    """Return the clips of GTZAN's file in ``data``, and the columns and times of each."""
    with _opened(data, "gtzan_mel") as file:
        rows = zip(file["genre"], file["name"], file["split"], strict=True)
        tracks = [Track(str(genre), (str(genre),), str(name), str(split)) for genre, name, split in rows]
        levels = list(zip(file["level"], file["range_db"], file["peak_db"], strict=True))
        times_s = file["frame_index"] * GTZAN_FRAME_S
    return tracks, ((to_bands(gtzan_log_mel(*level)), times_s) for level in levels)


def to_bands(log_mel: F32) -> F32:
    """Return float32 [frames, 96] of log-mel [frames, 128] of 0 to 11 025 Hz, interpolated between its centres."""
    own_hz = mel_frequencies(log_mel.shape[1] + 2, fmin_hz=0.0, fmax_hz=SPEC.fmax_hz)[1:-1]
    wanted_hz = mel_frequencies(PICTURE_SPEC.n_mels + 2, fmin_hz=0.0, fmax_hz=PICTURE_SPEC.fmax_hz)[1:-1]
    place = np.interp(wanted_hz, own_hz, np.arange(len(own_hz)))
    below = np.minimum(place.astype(np.intp), len(own_hz) - 2)
    share = (place - below).astype(np.float32)
    return np.asarray(log_mel[:, below] * (1.0 - share) + log_mel[:, below + 1] * share, np.float32)


@contextmanager
def _opened(data: Path, prefix: str) -> Iterator[Any]:
    path = next((path for path in genre_files(data) if path.name.startswith(prefix)), None)
    if path is None:
        msg = f"no {prefix}*.npz in {data}; give the data folder with --data"
        raise ConfigError(msg)
    try:
        with np.load(path) as file:
            yield file
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = f"can't read {path} ({type(error).__name__}); its format is in data/README.md"
        raise ConfigError(msg) from error


def hear_songs(network: keras.Model, songs: Iterable[Song]) -> Embedded:
    """Return what ``network`` makes of some windows of each of ``songs``, of which frames are known."""
    return _hear(network, (spread(columns, times_s, STARTS_S) for columns, times_s in songs))


def hear_blurred(network: keras.Model, clips: list[Clip]) -> Embedded:
    """Return what ``network`` makes of windows side by side of ``clips`` as FMA pictures would show them."""
    log.info("%s clips as pictures", len(clips))

    def seen(clip: Clip) -> F32:
        samples = read_mono(clip.path, FMA_SPEC.sample_rate_hz, length_s=BLURRED_S)
        length_s = len(samples) / FMA_SPEC.sample_rate_hz
        starts_s = np.arange(max(1, int(length_s / WINDOW_S))) * WINDOW_S
        return spread(*fma_columns(fma_picture(samples), length_s=length_s), starts_s)

    return _hear(network, map(seen, clips))


def pairs(blurred: Embedded, clean: Embedded) -> tuple[Embedded, F32]:
    """Return the windows that are both ``blurred`` and ``clean``: what was heard of them blurred, their embedding."""
    rows = [
        (np.flatnonzero(blurred.clip == clip), np.flatnonzero(clean.clip == clip)) for clip in np.unique(blurred.clip)
    ]
    ours = np.concatenate([one[: len(other)] for one, other in rows])
    theirs = np.concatenate([other[: len(one)] for one, other in rows])
    return Embedded(blurred.clip[ours], blurred.pooled[ours], blurred.embedding[ours]), clean.embedding[theirs]


def label_of(track: Track) -> str:
    """Return the label that an FMA track teaches; empty if none: two finer words tell what its top genre hides."""
    finer = (genre for genre in FINER for word in track.words if genre in word)
    return find_label(next(finer, track.genre), LABELS)


def _hear(network: keras.Model, clips: Iterable[F32]) -> Embedded:
    both = keras.Model(network.input, [network.get_layer("pooled").output, network.output])
    index, pooled, embeddings = [], [], []
    for number, seen in enumerate(clips):
        values, embedding = both.predict_on_batch(seen[..., None])
        index.append(np.full(len(seen), number))
        pooled.append(values.reshape(len(seen), -1))
        embeddings.append(embedding)
    return Embedded(np.concatenate(index), np.concatenate(pooled), np.concatenate(embeddings))


def _values(heard: Embedded) -> F64:
    return np.concatenate([heard.pooled, heard.embedding], axis=1).astype(np.float64)
