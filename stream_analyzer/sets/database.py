"""The database of the set log: its tables, their versions, and how it is opened.

Times are whole seconds of the set, which runs on over a restart; ``*_at`` are seconds since 1970. What is measured in
fractions is kept as a whole number: BPM and LUFS in tenths, shares in percent. `words` holds labels of genres and keys.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from stream_analyzer.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WAIT_S = 5.0  # for another program that writes
# One script for each version, the first makes it anew; `user_version` counts those that were run.
MIGRATIONS = (
    """
    CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
    CREATE TABLE sets (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        input TEXT NOT NULL,
        kind TEXT NOT NULL,
        source TEXT NOT NULL,
        started_at REAL NOT NULL,
        written_at REAL NOT NULL,
        end_s INTEGER NOT NULL DEFAULT 0,
        closed INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE sessions (
        set_id INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE,
        offset_s INTEGER NOT NULL,
        session TEXT NOT NULL,
        PRIMARY KEY (set_id, offset_s)
    ) WITHOUT ROWID;
    CREATE TABLE seconds (
        set_id INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE,
        second INTEGER NOT NULL,
        bpm INTEGER NOT NULL,
        confidence INTEGER NOT NULL,
        state INTEGER NOT NULL,
        top BLOB NOT NULL,
        key INTEGER REFERENCES words,
        lufs INTEGER,
        energy INTEGER,
        "drop" INTEGER NOT NULL,
        PRIMARY KEY (set_id, second)
    ) WITHOUT ROWID;
    CREATE TABLE parts (
        set_id INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE,
        start_s INTEGER NOT NULL,
        end_s INTEGER NOT NULL,
        bpm INTEGER,
        key TEXT,
        genre TEXT,
        lufs INTEGER,
        title TEXT NOT NULL DEFAULT '',
        artist TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (set_id, start_s)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        set_id INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE,
        second INTEGER NOT NULL,
        span_s INTEGER NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX events_of_set ON events (set_id, second);
    CREATE TABLE marks (
        id INTEGER PRIMARY KEY,
        set_id INTEGER NOT NULL REFERENCES sets ON DELETE CASCADE,
        second INTEGER NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX marks_of_set ON marks (set_id, second);
    """,
)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database, make or migrate it. Raises `OSError`, `sqlite3.Error` or `LogError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        if not connection.execute("PRAGMA user_version").fetchone()[0]:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there are tables
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # a power cut must not lose what was committed
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the database as it is, to read alone. Raises `LogError`."""
    if not path.is_file():
        raise _none_yet(path)
    # Not mode=ro: where nobody writes, a reader of a WAL must be able to make its index.
    with told(path):
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        with told(path):
            connection.execute("PRAGMA query_only = ON")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        _hold_version(version, path)
    except LogError:
        connection.close()
        raise
    return connection


def _hold_version(version: int, path: Path) -> None:
    if not version:  # it is just being made
        raise _none_yet(path)
    if version > len(MIGRATIONS):
        msg = f"{path} is a set log of a newer version ({version}, here {len(MIGRATIONS)}); update this program"
        raise LogError(msg)
    if version < len(MIGRATIONS):
        msg = f"{path} is a set log of an older version ({version}, here {len(MIGRATIONS)}); run brings it up to date"
        raise LogError(msg)


def _none_yet(path: Path) -> LogError:
    return LogError(f"there is no set log at {path} yet; it begins with: stream-analyzer run")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all that is written within, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk may have undone it already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite complains about into one line: `LogError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        msg = f"the set log {path}: {getattr(error, 'strerror', None) or error}; is the disk full, or the file damaged?"
        raise LogError(msg) from error


def give_back(connection: sqlite3.Connection) -> None:
    """Give pages that are free back to the file system; some, so that it takes no longer than a write."""
    connection.executescript("PRAGMA incremental_vacuum(5000)")  # `execute` would give back a single one


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        msg = f"{path} was written by a newer version of this program; update it, or name another file with --log"
        raise LogError(msg)
    while version < len(MIGRATIONS):
        with transaction(connection):
            version = connection.execute("PRAGMA user_version").fetchone()[0]  # another program may have been faster
            for statement in MIGRATIONS[version].split(";") if version < len(MIGRATIONS) else ():
                connection.execute(statement)
            version = min(version + 1, len(MIGRATIONS))
            connection.execute(f"PRAGMA user_version = {version}")
