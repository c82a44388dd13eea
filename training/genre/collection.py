"""The real clips that the sound model learns genres from: what each is labelled, which song it is of, its source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.data.sources import audio_rows

if TYPE_CHECKING:
    from pathlib import Path

LABELS = (
    "Blues", "Classical", "Country", "Disco", "Electronic", "Folk", "Hip-Hop", "Jazz", "Metal", "Pop", "Reggae", "Rock",
)  # fmt: skip

# Sources that are judged by leaving each out in turn, and those that only teach.
JUDGED = ("gtzan", "genrewave_songs", "free_songs", "fma_small")
TEACHING = ("radio2", "librosa_data")

_MEANING = {
    "blues": "Blues", "classical": "Classical", "country": "Country", "disco": "Disco", "electronic": "Electronic",
    "folk": "Folk", "hip-hop": "Hip-Hop", "hiphop": "Hip-Hop", "jazz": "Jazz", "metal": "Metal", "pop": "Pop",
    "reggae": "Reggae", "rock": "Rock",
    "ambient": "Electronic", "breaks": "Electronic", "house": "Electronic", "drum_and_bass": "Electronic",
    "hard-rock": "Rock", "punk-rock": "Rock", "orchestral-soundtrack": "Classical", "waltz_classical": "Classical",
    "jazz_ragtime": "Jazz", "jazz_solo": "Jazz", "folk_singer_songwriter": "Folk",
}  # fmt: skip
_SPEECH = ("speech",)
_PART = re.compile(r"(_c\d+)?(_[0-9a-f]{6})?$")


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip. ``label`` is empty where a source's word is none of LABELS; ``music`` says whether it is music.

    It is ``doubtful`` whether listeners call an experimental clip music.
    """

    path: Path
    source: str
    label: str
    song: str
    split: str
    music: bool
    doubtful: bool = False


def song_of(path: str) -> str:
    """Return what the clips of one song share: the name without the number of the part."""
    return _PART.sub("", path.rsplit(".", 1)[0])


def read_collection(data: Path) -> list[Clip]:
    """Return the clips of ``manifest.csv`` in ``data`` that may train, the not-music ones included."""
    folder, rows = audio_rows(data)
    return [
        _clip(row, folder)
        for row in rows
        if row["dataset"] in (*JUDGED, *TEACHING) or row["genre"].startswith("negative_")
    ]


def _clip(row: dict[str, str], folder: Path) -> Clip:
    word = row["genre"]
    music = not word.startswith(("negative_", *_SPEECH))
    if row["dataset"] == "fma_small" and "Reggae" in row["licence"]:
        word = "reggae"  # its top genre is "International", one of its finer ones tells more
    elif row["dataset"] == "fma_small" and "Metal" in row["licence"]:
        word = "metal"
    label = _MEANING.get(word, "") if music else ""
    return Clip(
        folder / row["path"], row["dataset"], label, song_of(row["path"]), row["split"], music, word == "experimental"
    )
