"""What the page /sets asks for: the list of past sets, one of them, its timeline; and the names that it gives to parts.

Each answer is read in a thread of its own, so that a slow disk holds nobody up.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from stream_analyzer.errors import LogError, ProtocolError
from stream_analyzer.protocol.history import columns, thinned
from stream_analyzer.serving.web.changes import as_json, known, text_of
from stream_analyzer.sets import reading, writing
from stream_analyzer.sets.database import open_for_reading, open_for_writing, told, transaction
from stream_analyzer.system.threads import in_daemon_thread

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stream_analyzer.serving.web.server import Answer, Route

    Query = Mapping[str, str]
    T = TypeVar("T")

_ROWS = 1500  # of a timeline, for however long a set


def set_routes(path: Path) -> dict[tuple[str, str], Route]:
    """Return what is answered of the set log at ``path``, by method and path."""
    return {
        ("GET", "/sets/list"): partial(_list, path),
        ("GET", "/sets/show"): partial(_show, path),
        ("GET", "/sets/timeline"): partial(_timeline, path),
        ("POST", "/sets/name"): partial(_name, path),
    }


async def _list(path: Path, query: Query) -> Answer:
    known(query, "q")
    search = text_of(query, "q")
    found = await _read(path, lambda connection: reading.list_sets(connection, search=search))
    return as_json({"sets": [asdict(one) for one in found]})


async def _show(path: Path, query: Query) -> Answer:
    known(query, "set")
    night = await _read(path, lambda connection: reading.read_night(connection, query.get("set", "")))
    return as_json(
        {
            "set": asdict(night.about),
            "parts": [asdict(part) for part in night.parts],
            "marks": [asdict(mark) for mark in night.marks],
            "gaps": [asdict(gap) for gap in night.gaps],
        }
    )


async def _timeline(path: Path, query: Query) -> Answer:
    """Answer as `/timeline` does, with rows of one span however old they are."""
    known(query, "set")

    def read(connection: sqlite3.Connection) -> dict[str, Any]:
        night = reading.read_night(connection, query.get("set", ""))
        rows = thinned(
            reading.seconds_of(connection, night.about.id), span_s=max(1, -(-night.about.duration_s // _ROWS))
        )
        marks = [(float(mark.second), mark.text) for mark in night.marks]
        return columns([row for row in rows if row.bpm or row.top], session=str(night.about.id), marks=marks)

    return as_json(await _read(path, read))


async def _name(path: Path, query: Query) -> Answer:
    known(query, "set", "start_s", "title", "artist")
    title, artist = text_of(query, "title"), text_of(query, "artist")
    start_s = query.get("start_s", "")
    if not (start_s.isascii() and start_s.isdigit() and len(start_s) < 10):  # noqa: PLR2004 - fits into the database
        msg = "start_s must be the second at which the part begins"
        raise ProtocolError(msg)

    def write() -> None:
        with told(path), closing(open_for_writing(path)) as connection, transaction(connection):
            night = reading.read_night(connection, query.get("set", ""))
            if not writing.name_part(connection, night.about.id, int(start_s), title=title, artist=artist):
                msg = f"no part of set {night.about.id} begins at {start_s}"
                raise LogError(msg)

    await in_daemon_thread(write, name="write set log")
    return as_json({"title": title, "artist": artist})


async def _read(path: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    def work() -> T:
        with told(path), closing(open_for_reading(path)) as connection:
            return read(connection)

    return await in_daemon_thread(work, name="read set log")
