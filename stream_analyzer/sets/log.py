"""Writes the set log from a thread of its own: nobody who hands something over ever waits for a disk.

What waits is written in one transaction. Where that fails (a disk that is full, read-only or gone, a file that another
program locks) it goes on waiting, the state says so, and the thread tries again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from stream_analyzer.errors import LogError
from stream_analyzer.sets import writing
from stream_analyzer.sets.database import give_back, open_for_writing, transaction
from stream_analyzer.system.backoff import backoff_s

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from stream_analyzer.sets.writing import Opening, Place, Write
    from stream_analyzer.types import LogState

logger = logging.getLogger(__name__)

_REST_S = 0.2  # between two transactions: in this time and the second that runs a crash can lose something
_MOST_WAITING = 50_000  # a second makes two writes: seven hours, some 25 MB
_PRUNE_EVERY_S = 3600.0
_FAREWELL_S = 2.0
_DAY_S = 86_400.0


class OpenSet:
    """A session that is being written. State: its place, once the log could be opened, and the lock on its input."""

    def __init__(self, opening: Opening) -> None:
        """Begin without a place."""
        self.opening = opening
        self.place: Place | None = None
        self.known = threading.Event()
        self._lock: sqlite3.Connection | None = None

    def find_place(self, connection: sqlite3.Connection, path: Path) -> None:
        """Find or make the set to write to."""
        alone = self._lock_input(path)
        with transaction(connection):
            place = writing.open_set(connection, self.opening, alone=alone)
        self.place = place
        self.known.set()

    def _lock_input(self, path: Path) -> bool:
        """Keep other analyzers from going on with this set while this one runs; SQLite's locks work on every system."""
        if self._lock is None:
            lock = sqlite3.connect(
                path.with_name(f"{path.name}-{self.opening.input}.lock"),
                timeout=0.0,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                lock.close()
                if "locked" not in str(error):
                    raise
                return False
            self._lock = lock
        return True

    def close(self) -> None:
        """Let another analyzer have the input."""
        if self._lock:
            self._lock.close()


class SetLog:
    """The log of one process. State: what waits to be written, and how things stand."""

    def __init__(self, path: Path, *, days: int, megabytes: int) -> None:
        """Write to ``path``; sets that are older than ``days``, or too many for ``megabytes``, go, the oldest first."""
        self.path, self._days, self._megabytes = path, days, megabytes
        self.state: LogState = "kept"
        self.trouble = ""
        self._sets: list[OpenSet] = []
        self._waiting: list[tuple[OpenSet, Write]] = []
        self._lock = threading.Lock()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="set log", daemon=True)
        self._pruned_s = 0.0
        self._failures = self._lost = 0
        self._ended = False

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, and end; a disk that hangs is not waited for."""
        self._closing.set()
        self._wake.set()
        self._thread.join(_FAREWELL_S)

    def open(self, opening: Opening) -> OpenSet:
        """Begin a session; its place is found by the thread."""
        found = OpenSet(opening)
        with self._lock:
            self._sets.append(found)
        self._wake.set()
        return found

    def put(self, to: OpenSet, write: Write) -> None:
        """Have something written soon; after the thread has ended there is nobody to do it."""
        if self._ended:
            return
        with self._lock:
            self._waiting.append((to, write))
        self._wake.set()

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except BaseException:  # a bug: Python tells it on standard error, and the analysis goes on
            self.state, self.trouble = "stuck", "its thread has failed; please report that"
            raise
        finally:
            self._ended = True
            self._disconnect()
            for one in self._sets:
                one.close()

    def _write_until_closed(self) -> None:
        while True:
            self._wake.wait()
            closing = self._closing.is_set()
            if not closing:
                self._wake.clear()
            try:
                self._write()
            except (sqlite3.Error, OSError, LogError) as error:
                self._fail(error)
                pause_s = backoff_s(self._failures)
                self._wake.set()
            else:
                self._recover()
                pause_s = _REST_S
            if closing:
                break
            self._closing.wait(pause_s)

    def _write(self) -> None:
        """Write all that waits in one transaction; what was not written waits on."""
        if self._connection is None:
            self._connection = open_for_writing(self.path)
        connection = self._connection
        with self._lock:
            self._lost += max(0, len(self._waiting) - _MOST_WAITING)
            del self._waiting[:-_MOST_WAITING]
            batch, sets = list(self._waiting), list(self._sets)
        for one in sets:
            if one.place is None:
                one.find_place(connection, self.path)
        try:
            _commit(connection, batch)
        except sqlite3.IntegrityError:  # somebody has deleted the set that runs: another one begins
            for one in sets:
                one.find_place(connection, self.path)
            _commit(connection, batch)
        with self._lock:
            del self._waiting[: len(batch)]
        self._prune(connection, {one.place.set_id for one in sets if one.place})

    def _prune(self, connection: sqlite3.Connection, spare: set[int]) -> None:
        now_s = time.monotonic()
        if self._pruned_s and now_s - self._pruned_s < _PRUNE_EVERY_S:
            return
        self._pruned_s = now_s
        before = time.time() - self._days * _DAY_S
        while True:
            oldest = writing.oldest_to_go(connection, before=before, most_mb=self._megabytes, spare=spare)
            if oldest is None:
                break
            with transaction(connection):
                writing.delete_set(connection, oldest)
            logger.info("set %d was deleted; the log keeps %d days, %d MB", oldest, self._days, self._megabytes)
        give_back(connection)

    def _fail(self, error: Exception) -> None:
        self._disconnect()
        self._failures += 1
        reason = str(getattr(error, "strerror", None) or error)
        self.trouble = f"its folder can't be written ({reason})" if "unable to open" in reason else reason
        if self.state != "stuck":
            logger.warning("the set log %s can't be written: %s; trying again", self.path, self.trouble)
        self.state = "stuck"

    def _recover(self) -> None:
        if self.state == "stuck":
            lost = f"; {self._lost} entries were too many to wait" if self._lost else ""
            logger.warning("the set log %s is written again%s", self.path, lost)
        self.state, self.trouble, self._failures, self._lost = "kept", "", 0, 0

    def _disconnect(self) -> None:
        if self._connection:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None


def _commit(connection: sqlite3.Connection, batch: Sequence[tuple[OpenSet, Write]]) -> None:
    """Write all of a batch, or nothing."""
    if not batch:
        return
    with transaction(connection):
        for to, write in batch:
            if to.place:
                write(connection, to.place)
