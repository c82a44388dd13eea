"""What is read of the set log: lists of sets, and all of one. Each reader has a connection of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_analyzer.analysis.key.names import camelot_of
from stream_analyzer.errors import LogError
from stream_analyzer.protocol.seconds import Second

if TYPE_CHECKING:
    import sqlite3

_SHOWN = 500  # sets, at most, in one list


@dataclass(frozen=True, slots=True)
class SetRow:
    """A set in a list; ``started_at`` is in seconds since 1970."""

    id: int
    input: str
    kind: str
    source: str
    started_at: float
    duration_s: int
    parts: int
    marks: int
    closed: bool


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part, with the name that it was given; ``number`` counts from 1."""

    number: int
    start_s: int
    end_s: int
    bpm: float | None
    key: str | None
    camelot: str | None
    genre: str | None
    lufs: float | None
    title: str
    artist: str

    @property
    def name(self) -> str:
        """Artist and title, as far as they are known."""
        return " - ".join(text for text in (self.artist, self.title) if text)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened, or a stretch that is missing (``kind`` gap)."""

    second: int
    span_s: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that somebody set."""

    second: int
    text: str


@dataclass(frozen=True, slots=True)
class Night:
    """All of a set but its seconds."""

    about: SetRow
    parts: tuple[PartRow, ...]
    events: tuple[Happening, ...]
    marks: tuple[Mark, ...]

    @property
    def gaps(self) -> tuple[Happening, ...]:
        """Where the analyzer was not running."""
        return tuple(event for event in self.events if event.kind == "gap")


_LIST = (
    "SELECT id, input, kind, source, started_at, end_s, (SELECT count(*) FROM parts WHERE set_id = sets.id),"
    " (SELECT count(*) FROM marks WHERE set_id = sets.id), closed FROM sets"
)


def list_sets(connection: sqlite3.Connection, *, search: str = "") -> list[SetRow]:
    """Return the sets, newest first; of ``search`` each word must be found in a set's source, parts or marks."""
    where, values = [], []
    for word in search.split():
        like = "%" + word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
        where.append(
            r"(source || ' ' || input LIKE ? ESCAPE '\' OR date(started_at, 'unixepoch', 'localtime') LIKE ? ESCAPE '\'"
            r" OR id IN (SELECT set_id FROM parts WHERE concat LIKE ? ESCAPE '\')"
            r" OR id IN (SELECT set_id FROM marks WHERE text LIKE ? ESCAPE '\'))".replace(
                "concat", "coalesce(genre, '') || ' ' || coalesce(key, '') || ' ' || title || ' ' || artist"
            )
        )
        values += [like] * 4
    query = _LIST + (f" WHERE {' AND '.join(where)}" if where else "") + " ORDER BY started_at DESC, id DESC LIMIT ?"
    return [_set_row(row) for row in connection.execute(query, (*values, _SHOWN))]


def read_night(connection: sqlite3.Connection, which: str) -> Night:
    """Return a set by its number, or the ``last``. Raises `LogError`."""
    if which == "last":
        row = connection.execute(_LIST + " ORDER BY started_at DESC, id DESC LIMIT 1").fetchone()
    else:
        number = int(which) if which.isascii() and which.isdigit() and len(which) < 10 else 0  # noqa: PLR2004 - fits
        row = connection.execute(_LIST + " WHERE id = ?", (number,)).fetchone()
    if row is None:
        msg = "the set log holds no set yet" if which == "last" else f"there is no set {which!r}"
        raise LogError(msg + "; see: stream-analyzer sets list")
    about = _set_row(row)
    parts = connection.execute(
        "SELECT start_s, end_s, bpm, key, genre, lufs, title, artist FROM parts WHERE set_id = ? ORDER BY start_s",
        (about.id,),
    )
    events = connection.execute(
        "SELECT second, span_s, kind, text FROM events WHERE set_id = ? ORDER BY second, id", (about.id,)
    )
    marks = connection.execute("SELECT second, text FROM marks WHERE set_id = ? ORDER BY second, id", (about.id,))
    return Night(
        about,
        tuple(_part_row(number, row) for number, row in enumerate(parts, start=1)),
        tuple(Happening(*row) for row in events),
        tuple(Mark(*row) for row in marks),
    )


def seconds_of(
    connection: sqlite3.Connection, set_id: int, *, before_s: int | None = None, shift_s: int = 0
) -> list[Second]:
    """Return the seconds of a set, those ``before_s`` alone if it is given, their times moved by ``shift_s``."""
    words = dict(connection.execute("SELECT id, word FROM words").fetchall())
    rows = connection.execute(
        'SELECT second, bpm, confidence, state, top, key, lufs, energy, "drop" FROM seconds'
        " WHERE set_id = ? AND second < ? ORDER BY second",
        (set_id, 1 << 60 if before_s is None else before_s),
    )
    return [
        Second(
            time_s=second + shift_s,
            bpm=bpm / 10,
            confidence=confidence / 100,
            state=state,
            top=tuple((words.get(word, ""), p / 100) for word, p in zip(top[::2], top[1::2], strict=True)),
            key=words.get(key, "") if key else "",
            lufs=None if lufs is None else lufs / 10,
            energy=None if energy is None else energy / 100,
            drop=bool(drop),
        )
        for second, bpm, confidence, state, top, key, lufs, energy, drop in rows
    ]


def _set_row(row: tuple[int, str, str, str, float, int, int, int, int]) -> SetRow:
    return SetRow(*row[:-1], closed=bool(row[-1]))


def _part_row(number: int, row: tuple[int, int, int | None, str | None, str | None, int | None, str, str]) -> PartRow:
    start_s, end_s, bpm, key, genre, lufs, title, artist = row
    return PartRow(
        number,
        start_s,
        end_s,
        None if bpm is None else bpm / 10,
        key,
        camelot_of(key),
        genre,
        None if lufs is None else lufs / 10,
        title,
        artist,
    )
