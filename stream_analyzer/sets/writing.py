"""What is written into the set log, in the words of SQL; each function within a transaction of its caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from stream_analyzer.protocol.seconds import Second
    from stream_analyzer.sets.parts import Part

    Write = Callable[[sqlite3.Connection, "Place"], None]

CONTINUES_S = 600.0
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Opening:
    """A session that begins: of which input, from which source, when (seconds since 1970)."""

    input: str
    kind: str
    source: str
    session: str
    at: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session is written: its set, and the second of the set in which its own clock begins."""

    set_id: int
    offset_s: int


def open_set(connection: sqlite3.Connection, opening: Opening, *, alone: bool) -> Place:
    """Go on with the set that was written within the last 10 minutes, or begin one.

    Only who writes ``alone`` goes on: otherwise another analyzer may be writing that set.
    """
    found = connection.execute(
        "SELECT id, end_s, written_at FROM sets WHERE input = ? AND kind = ? AND (source = ? OR kind = 'device')"
        " AND NOT closed ORDER BY written_at DESC LIMIT 1",
        (opening.input, opening.kind, opening.source),
    ).fetchone()
    if alone and found and abs(opening.at - found[2]) <= CONTINUES_S:
        set_id, end_s, written_at = found
        gap_s = max(0, round(opening.at - written_at))  # a clock that was set back tells nothing
        place = Place(set_id, end_s + gap_s)
        write_event(connection, Place(set_id, 0), end_s, "gap", "the analyzer was not running", span_s=gap_s)
    else:
        values = (opening.input, opening.kind, opening.source, opening.at, opening.at)
        cursor = connection.execute(
            "INSERT INTO sets (input, kind, source, started_at, written_at) VALUES (?, ?, ?, ?, ?)", values
        )
        place = Place(cursor.lastrowid or 0, 0)
    connection.execute(
        "INSERT OR REPLACE INTO sessions (set_id, offset_s, session) VALUES (?, ?, ?)",
        (place.set_id, place.offset_s, opening.session),
    )
    return place


def write_second(connection: sqlite3.Connection, place: Place, second: Second, at: float) -> None:
    """Write what a second amounts to, which was over ``at`` a time; the set lasts until then."""
    top = bytes(
        part
        for label, p in second.top
        if (word := word_id(connection, label)) < 256  # noqa: PLR2004 - a byte; no model knows as many labels
        for part in (word, round(100 * p))
    )
    row = (
        place.set_id,
        second.time_s + place.offset_s,
        round(10 * second.bpm),
        round(100 * second.confidence),
        second.state,
        top,
        word_id(connection, second.key) if second.key else None,
        None if second.lufs is None else round(10 * second.lufs),
        None if second.energy is None else round(100 * second.energy),
        second.drop,
    )
    connection.execute("INSERT OR REPLACE INTO seconds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    end_s = second.time_s + place.offset_s + 1
    connection.execute("UPDATE sets SET written_at = ?, end_s = max(end_s, ?) WHERE id = ?", (at, end_s, place.set_id))


def write_part(connection: sqlite3.Connection, place: Place, part: Part) -> None:
    """Write a part, or what has become of it; a name that it was given stays."""
    row = (
        place.set_id,
        part.start_s + place.offset_s,
        part.end_s + place.offset_s,
        None if part.bpm is None else round(10 * part.bpm),
        part.key,
        part.genre,
        None if part.lufs is None else round(10 * part.lufs),
    )
    connection.execute(
        "INSERT INTO parts (set_id, start_s, end_s, bpm, key, genre, lufs) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET end_s = excluded.end_s, bpm = excluded.bpm, key = excluded.key,"
        " genre = excluded.genre, lufs = excluded.lufs",
        row,
    )


def write_event(
    connection: sqlite3.Connection, place: Place, second: int, kind: str, text: str, *, span_s: int = 0
) -> None:
    """Write that something happened."""
    row = (place.set_id, second + place.offset_s, span_s, kind, text)
    connection.execute("INSERT INTO events (set_id, second, span_s, kind, text) VALUES (?, ?, ?, ?, ?)", row)


def write_mark(connection: sqlite3.Connection, place: Place, second: int, text: str) -> None:
    """Write a mark."""
    row = (place.set_id, second + place.offset_s, text)
    connection.execute("INSERT INTO marks (set_id, second, text) VALUES (?, ?, ?)", row)


def close_set(connection: sqlite3.Connection, place: Place) -> None:
    """Write that the source came to its end: a later session is another set."""
    connection.execute("UPDATE sets SET closed = 1 WHERE id = ?", (place.set_id,))


def name_part(connection: sqlite3.Connection, set_id: int, start_s: int, *, title: str, artist: str) -> bool:
    """Give a part a name; tell whether there is such a part."""
    values = (title, artist, set_id, start_s)
    cursor = connection.execute("UPDATE parts SET title = ?, artist = ? WHERE set_id = ? AND start_s = ?", values)
    return cursor.rowcount > 0


def delete_set(connection: sqlite3.Connection, set_id: int) -> bool:
    """Delete a set; tell whether there was one."""
    return connection.execute("DELETE FROM sets WHERE id = ?", (set_id,)).rowcount > 0


def oldest_to_go(connection: sqlite3.Connection, *, before: float, most_mb: int, spare: set[int]) -> int | None:
    """Return the oldest set if it must go: it ended ``before`` a time, or the log is larger than it may be."""
    found = connection.execute("SELECT id, written_at FROM sets ORDER BY written_at").fetchall()
    oldest = next((one for one in found if one[0] not in spare), None)
    if oldest is None:
        return None
    facts = ("page_count", "freelist_count", "page_size")
    pages, free, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in facts)
    too_large = (pages - free) * size > most_mb * _MEGABYTE
    return int(oldest[0]) if oldest[1] < before or too_large else None


def word_id(connection: sqlite3.Connection, word: str) -> int:
    """Return the number that stands for a label."""
    found = connection.execute("SELECT id FROM words WHERE word = ?", (word,)).fetchone()
    return int(found[0] if found else connection.execute("INSERT INTO words (word) VALUES (?)", (word,)).lastrowid or 0)
