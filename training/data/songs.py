"""Real sound with a genre: the clips of the audio manifest as songs of sources, each genre in the words of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.data.sources import audio_rows

if TYPE_CHECKING:
    from collections.abc import Collection

SOURCES = ("gtzan", "fma_small", "free_songs", "genrewave_songs", "radio2")
# What sources call a genre, in the words of the labels; other names differ from those in case and hyphens alone.
MEANS = {
    "ambient": "Electronic",
    "breaks": "Electronic",
    "drumandbass": "Electronic",
    "house": "Electronic",
    "hardrock": "Rock",
    "punkrock": "Rock",
    "folksingersongwriter": "Folk",
    "jazzragtime": "Jazz",
    "jazzsolo": "Jazz",
    "orchestralsoundtrack": "Classical",
    "waltzclassical": "Classical",
}
_CUT = re.compile(r"_c[0-9]+(_[0-9a-f]+)?$")  # of several clips of one song


@dataclass(frozen=True, slots=True)
class Song:
    """A clip: ``source`` it comes from, ``song`` it is cut from, ``genre`` as the source names it."""

    path: Path
    source: str
    song: str
    genre: str
    split: str


def list_songs(data: Path) -> list[Song]:
    """Return the clips with a genre that `SOURCES` offer in ``data``. Raises `ConfigError` without a manifest."""
    folder, rows = audio_rows(data)
    return [
        Song(folder / row["path"], row["dataset"], song_of(row["path"]), genre_of(row), row["split"])
        for row in rows
        if row["dataset"] in SOURCES and row["genre"]
    ]


def genre_of(row: dict[str, str]) -> str:
    """Return a clip's genre; FMA's finer ones, in the column of licences, tell two that its top genres hide."""
    if row["dataset"] == "fma_small":
        return next((genre for genre in ("Reggae", "Metal") if genre in row["licence"]), row["genre"])
    return row["genre"]


def song_of(path: str) -> str:
    """Return what names the song that a clip is cut from."""
    return _CUT.sub("", str(Path(path).with_suffix("")))


def find_label(genre: str, labels: Collection[str]) -> str:
    """Return which of ``labels`` a source's genre means, empty if none does."""
    own = {_plain(label): label for label in labels}
    key = _plain(genre)
    return own.get(key) or own.get(_plain(MEANS.get(key, ""))) or ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower().replace("&", "and"))
