"""The real clips that the sound model learns genres from: what each is labelled, which song it is of, its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.data.songs import find_label, genre_of, song_of
from training.data.sources import audio_rows

if TYPE_CHECKING:
    from pathlib import Path

LABELS = (
    "Blues", "Classical", "Country", "Disco", "Electronic", "Folk", "Hip-Hop", "Jazz", "Metal", "Pop", "Reggae", "Rock",
)  # fmt: skip

# Sources that are judged by leaving each out in turn, and those that only teach.
JUDGED = ("gtzan", "genrewave_songs", "free_songs", "fma_small")
TEACHING = ("radio2", "librosa_data")

_SPEECH = ("speech",)


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
    label = find_label(genre_of(row), LABELS) if music else ""
    return Clip(
        folder / row["path"], row["dataset"], label, song_of(row["path"]), row["split"], music, word == "experimental"
    )
