"""A mini Free Music Archive in exactly the layout of the real one: MP3s by ffmpeg, tables as pandas wrote them."""

from __future__ import annotations

import csv
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# genre_id, parent, title: real ones, as many as the tests need.
GENRES = (
    (2, 0, "International"), (3, 0, "Blues"), (4, 0, "Jazz"), (5, 0, "Classical"), (8, 0, "Old-Time / Historic"),
    (9, 0, "Country"), (10, 0, "Pop"), (12, 0, "Rock"), (13, 0, "Easy Listening"), (14, 0, "Soul-RnB"),
    (15, 0, "Electronic"), (17, 0, "Folk"), (18, 1235, "Soundtrack"), (20, 0, "Spoken"), (21, 0, "Hip-Hop"),
    (25, 12, "Punk"), (31, 12, "Metal"), (38, 0, "Experimental"), (109, 25, "Post-Punk"), (181, 15, "Techno"),
    (297, 15, "Chip Music"), (301, 297, "Chiptune"), (1235, 0, "Instrumental"),
)  # fmt: skip

# The columns of tracks.csv in their order.
COLUMNS = (
    *(("album", name) for name in (
        "comments", "date_created", "date_released", "engineer", "favorites", "id", "information", "listens",
        "producer", "tags", "title", "tracks", "type",
    )),
    *(("artist", name) for name in (
        "active_year_begin", "active_year_end", "associated_labels", "bio", "comments", "date_created", "favorites",
        "id", "latitude", "location", "longitude", "members", "name", "related_projects", "tags", "website",
        "wikipedia_page",
    )),
    ("set", "split"), ("set", "subset"),
    *(("track", name) for name in (
        "bit_rate", "comments", "composer", "date_created", "date_recorded", "duration", "favorites", "genre_top",
        "genres", "genres_all", "information", "interest", "language_code", "license", "listens", "lyricist", "number",
        "publisher", "tags", "title",
    )),
)  # fmt: skip

ECHONEST = ("acousticness", "danceability", "energy", "instrumentalness", "liveness", "speechiness", "tempo", "valence")


@dataclass(frozen=True)
class Song:
    """A row of tracks.csv and the kind of file that lies where its MP3 should be."""

    number: int
    genres: tuple[int, ...]
    subset: str = "small"
    split: str = "training"
    artist: int = 1
    duration: int = 168
    file: str = "stereo"


SONGS = (
    Song(2, (21,)),
    Song(5, (21,), file="truncated"),
    Song(10, (10,), split="validation", artist=6, file="mono"),
    Song(140, (17,), split="test", artist=54, file="48k"),
    Song(141, (12,), file="cut short"),
    Song(1482, (2,), artist=-1, file="tagged"),
    Song(3001, (12, 25)),
    Song(3002, (25, 31), subset="medium", artist=7),
    Song(3003, (181,), subset="medium"),
    Song(3004, (15, 12), subset="large"),
    Song(3005, (9,), subset="medium"),
    Song(3006, (301,), file="not audio"),
    Song(3007, (38,), file="damaged"),
    Song(98565, (1235,), file="1.6 s"),
    Song(99134, (18,), file="empty"),
    Song(108925, (18,), file="missing"),
)
TEMPI = {2: 165.922, 3003: 126.957}


def encode(path: Path, seconds: float, *options: str) -> None:
    noise = f"anoisesrc=d={seconds}:c=pink:a=0.3:r=44100:s={len(path.parts[-1])}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", noise, "-b:a", "64k", *options, str(path)]
    subprocess.run(command, check=True)


def files(folder: Path) -> dict[str, Path]:
    """Write one file of each kind; return their paths."""
    folder.mkdir()
    found = {
        kind: folder / f"{kind}.mp3"
        for kind in (
            "stereo",
            "mono",
            "48k",
            "tagged",
            "1.6 s",
            "truncated",
            "cut short",
            "damaged",
            "not audio",
            "empty",
        )
    }
    encode(found["stereo"], 30.0, "-ac", "2")
    encode(found["mono"], 29.98, "-ac", "1", "-ar", "22050")
    encode(found["48k"], 30.0, "-ac", "2", "-ar", "48000", "-write_xing", "0")
    encode(found["1.6 s"], 1.6)
    sound = found["stereo"].read_bytes()
    tag = b"ID3\x03\x00\x00" + bytes([0, 18, 0, 0]) + b"APIC" + (18 * 2**14 - 10).to_bytes(4, "big")
    found["tagged"].write_bytes(tag + bytes(18 * 2**14 - 8) + sound[sound.index(b"\xff\xfb") :])
    found["truncated"].write_bytes(sound[: len(sound) // 2])
    found["cut short"].write_bytes(sound[: len(sound) // 5])
    found["damaged"].write_bytes(sound[: len(sound) // 2] + b"\xaa" * 30_000 + sound[len(sound) // 2 + 30_000 :])
    found["not audio"].write_bytes(b"<html><body>404 Not Found</body></html>\n" * 100)
    found["empty"].write_bytes(b"")
    return found


def write_audio(folder: Path, songs: tuple[Song, ...], kinds: dict[str, Path]) -> None:
    for song in songs:
        path = folder / f"{song.number:06d}"[:3] / f"{song.number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        if song.file != "missing":
            shutil.copy(kinds[song.file], path)


def write_metadata(folder: Path, songs: tuple[Song, ...]) -> None:
    folder.mkdir(parents=True)
    titles = {genre: title for genre, _, title in GENRES}
    parents = {genre: parent for genre, parent, _ in GENRES}

    def upwards(genre: int) -> list[int]:
        return [genre, *upwards(parents[genre])] if genre else []

    with (folder / "genres.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["genre_id", "#tracks", "parent", "title", "top_level"])
        table.writerows([genre, 1, parent, title, upwards(genre)[-1]] for genre, parent, title in GENRES)
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerows([["", *(top for top, _ in COLUMNS)], ["", *(name for _, name in COLUMNS)]])
        table.writerow(["track_id", *[""] * len(COLUMNS)])
        for song in songs:
            tops = {upwards(genre)[-1] for genre in song.genres}
            cells = {
                ("artist", "bio"): '<p>Born, "raised"\nand recorded.</p>' + "x" * 200_000 * (song.number == 2),
                ("artist", "id"): song.artist, ("album", "id"): song.number // 1000 + 1,
                ("set", "split"): song.split, ("set", "subset"): song.subset, ("track", "duration"): song.duration,
                ("track", "genre_top"): titles[next(iter(tops))] if len(tops) == 1 else "",
                ("track", "genres"): str(list(song.genres)),
                ("track", "genres_all"): str(sorted({above for genre in song.genres for above in upwards(genre)})),
            }  # fmt: skip
            table.writerow([song.number, *(cells.get(column, "") for column in COLUMNS)])
    with (folder / "echonest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        names = [*ECHONEST, "album_date"]
        kinds = [*["audio_features"] * len(ECHONEST), "metadata"]
        table.writerows(
            [["", *["echonest"] * len(names)], ["", *kinds], ["", *names], ["track_id", *[""] * len(names)]]
        )
        for number, tempo in TEMPI.items():
            table.writerow([number, *(tempo if name == "tempo" else 0.5 for name in names)])
