"""Metadata of the Free Music Archive data set (FMA, Defferrard et al. 2017): its tracks, and the one genre of each.

Read from tracks.csv, genres.csv and echonest.csv as they are distributed.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import reason
from training.data.genres import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.library.places import Place

SUBSETS = ("small", "medium", "large", "full")
SPLITS = {"training": "train", "validation": "valid", "test": "test"}

# The genres of the study that this project grew from: FMA's titles, some of them below others.
STUDY_GENRES = (
    "Blues", "Chiptune", "Classical", "Compilation", "Electronic", "Folk", "Hip-Hop", "Indie-Rock", "International",
    "Jazz", "Kid-Friendly", "Metal", "Old-Time / Historic", "Pop", "Post-Punk", "Post-Rock", "Psych-Folk", "Psych-Rock",
    "Punk", "Rock", "Sound Art", "Soundtrack", "Trip-Hop",
)  # fmt: skip
GENRE_SETS = ("8", "16", "study")

# Biographies in tracks.csv are longer than the csv module allows a field to be.
_LONGEST_FIELD = 1 << 24


@dataclass(frozen=True, slots=True)
class Track:
    """One row of tracks.csv. ``genres`` are ids as the artist chose them; ``duration_s`` is that of the whole song."""

    number: int
    split: str
    genres: tuple[int, ...]
    group: str
    duration_s: float

    @property
    def path(self) -> str:
        """Where its MP3 lies in the archive."""
        return f"{self.number // 1000:03d}/{self.number:06d}.mp3"


@dataclass(frozen=True, slots=True)
class GenreTree:
    """FMA's genres by id: their titles, and the genre above each (0 above the top ones)."""

    title: dict[int, str]
    parent: dict[int, int]

    def upwards(self, genre: int) -> list[str]:
        """Return the titles from ``genre`` up to its top genre; none if the id is unknown."""
        found: list[str] = []
        while genre in self.title and self.title[genre] not in found:
            found.append(self.title[genre])
            genre = self.parent[genre]
        return found

    def tops(self) -> set[str]:
        """Return the titles of the top genres."""
        return {title for genre, title in self.title.items() if not self.parent[genre]}

    def chosen(self, genres: str) -> set[str]:
        """Return the titles that are labels in one of GENRE_SETS."""
        return {"8": set(KNOWN["fma-small"]), "16": self.tops(), "study": set(STUDY_GENRES)}[genres]

    def label(self, track: Track, chosen: set[str]) -> str:
        """Return the one genre of ``chosen`` that ``track`` belongs to; "" if there is none or more than one.

        Each of its genres counts as the nearest of ``chosen`` upwards, or as its top genre; one that lies above
        another of them (Rock beside Punk) adds nothing.
        """
        stops = chosen | self.tops()
        ways = [[title for title in self.upwards(genre) if title in stops] for genre in track.genres]
        above = {title for way in ways for title in way[1:]}
        nearest = {way[0] for way in ways if way} - above
        return nearest.pop() if len(nearest) == 1 and nearest <= chosen else ""

    def tags(self, track: Track) -> str:
        """Return the titles of all its genres and those above them, separated by "|"."""
        return "|".join(dict.fromkeys(title for genre in track.genres for title in self.upwards(genre)))


def read_genres(metadata: Place) -> GenreTree:
    """Read genres.csv."""
    rows = list(_rows(metadata, "genres.csv", [("genre_id",), ("title",), ("parent",)]))
    try:
        return GenreTree(
            title={int(genre): title for genre, title, _ in rows},
            parent={int(genre): int(float(parent or 0)) for genre, _, parent in rows},
        )
    except ValueError as error:
        msg = f"{metadata.name}/genres.csv: {error}; take the file of fma_metadata.zip"
        raise ConfigError(msg) from error


def read_tracks(metadata: Place, subset: str) -> list[Track]:
    """Read the tracks of one of SUBSETS from tracks.csv, in the order of their numbers."""
    columns = [
        ("track_id",), ("set", "split"), ("set", "subset"), ("track", "genres"), ("track", "duration"),
        ("artist", "id"), ("album", "id"),
    ]  # fmt: skip
    wanted = SUBSETS[: SUBSETS.index(subset) + 1]
    found = []
    for number, split, member, genres, duration, artist, album in _rows(metadata, "tracks.csv", columns):
        if member not in wanted:
            continue
        try:
            track = Track(
                number=int(number),
                split=SPLITS[split],
                genres=tuple(int(genre) for genre in json.loads(genres or "[]")),
                group=_group(number, artist=artist, album=album),
                duration_s=float(duration or 0.0),
            )
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{metadata.name}/tracks.csv: track {number!r}: {type(error).__name__} {error}; take FMA's own file"
            raise ConfigError(msg) from error
        found.append(track)
    return sorted(found, key=lambda track: track.number)


def _group(number: str, *, artist: str, album: str) -> str:
    """Return what must not be split: the artist, as in FMA's own splits, else the album, else the track alone."""
    for kind, value in (("artist", artist), ("album", album)):
        if value and float(value) > 0:
            return f"{kind} {int(float(value))}"
    return f"track {number}"


def read_tempi(metadata: Place) -> dict[int, float]:
    """Read the tempi in BPM that Echo Nest found for some tracks; none without echonest.csv."""
    if not metadata.exists("echonest.csv"):
        return {}
    columns = [("track_id",), ("echonest", "audio_features", "tempo")]
    rows = _rows(metadata, "echonest.csv", columns)
    try:
        return {int(number): float(tempo) for number, tempo in rows if tempo and float(tempo) > 0}
    except ValueError as error:
        msg = f"{metadata.name}/echonest.csv: {error}; take the file of fma_metadata.zip, or none"
        raise ConfigError(msg) from error


def _rows(metadata: Place, name: str, columns: list[tuple[str, ...]]) -> Iterator[list[str]]:
    """Yield the cells of ``columns`` a row.

    The deepest name says how many header rows there are. pandas, which wrote the files, puts the index's name into a
    row of its own below several header rows; that column is named by itself alone.
    """
    depth = max(map(len, columns))
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with metadata.open(name) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as file:
            table = csv.reader(file)
            header = [next(table) for _ in range(depth)]
            if depth > 1:
                header.append([*next(table)[:1], *[""] * len(header[0])])
            names = [tuple(filter(None, cells)) for cells in zip(*header, strict=False)]
            places = [names.index(column) for column in columns]
            for row in table:
                if row:
                    yield [row[place] for place in places]
    except OSError as error:
        msg = f"can't read {metadata.name}/{name}: {reason(error)}; give the folder of fma_metadata.zip with --metadata"
        raise ConfigError(msg) from error
    except (ValueError, IndexError, StopIteration, csv.Error) as error:
        wanted = ", ".join("/".join(column) for column in columns)
        msg = f"{metadata.name}/{name} is not FMA's ({error or 'it ends early'}); it needs the columns {wanted}"
        raise ConfigError(msg) from error
