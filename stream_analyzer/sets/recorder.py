"""What is kept of one input: its set so far in memory, for pages that come late, and all of it in the set log.

The pipeline hands every event over; times of events are on the clock of the session, the log moves them to that of the
set.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from stream_analyzer.errors import LogError
from stream_analyzer.protocol.history import History
from stream_analyzer.protocol.seconds import Seconds
from stream_analyzer.sets import reading, writing
from stream_analyzer.sets.database import open_for_reading
from stream_analyzer.sets.parts import PartFinder
from stream_analyzer.system.threads import in_daemon_thread
from stream_analyzer.types import Moment, Status

if TYPE_CHECKING:
    from stream_analyzer.kinds import Described
    from stream_analyzer.protocol.kinds import Mark
    from stream_analyzer.protocol.seconds import Second
    from stream_analyzer.sets.log import OpenSet, SetLog
    from stream_analyzer.sets.writing import Opening, Place, Write
    from stream_analyzer.types import LogState

logger = logging.getLogger(__name__)

_OPEN_LIMIT_S = 1.0  # nobody waits longer for what was before


class Recorder:
    """Keeps one session of an input. State: its seconds, its parts, the last state that was written."""

    def __init__(self, log: SetLog | None, opening: Opening) -> None:
        """Write to ``log`` if there is one."""
        self._log, self._session = log, opening.session
        self._open: OpenSet | None = log.open(opening) if log else None
        self._history, self._seconds, self._parts = History(), Seconds(), PartFinder()
        self._state = ""

    @property
    def state(self) -> LogState:
        """How things stand with the log."""
        return self._log.state if self._log else "off"

    @property
    def trouble(self) -> str:
        """Why nothing can be written, empty while it can."""
        return self._log.trouble if self._log else ""

    @property
    def place(self) -> Place | None:
        """Where in the log this is written, once that is known."""
        return self._open.place if self._open else None

    async def recall(self) -> None:
        """Take over what was before in the same set, if it goes on with one."""
        if not self._log or not self._open:
            return
        found = self._open
        await in_daemon_thread(lambda: found.known.wait(_OPEN_LIMIT_S), name="open set log")
        place, path = found.place, self._log.path
        if not place or not place.offset_s:
            return

        def read() -> None:
            with closing(open_for_reading(path)) as connection:
                offset_s = place.offset_s
                for second in reading.seconds_of(connection, place.set_id, before_s=offset_s, shift_s=-offset_s):
                    self._history.add(second)
                for mark in reading.read_night(connection, str(place.set_id)).marks:
                    self._history.mark(mark.second - offset_s, mark.text)

        self._history.offset_s = place.offset_s
        try:
            await in_daemon_thread(read, name="read set log")
        except (sqlite3.Error, LogError) as error:  # the set goes on without its beginning
            logger.warning("what was before can't be read from the set log %s: %s", path, error)

    def add(self, event: Described) -> None:
        """Take an event into account."""
        second = self._seconds.add(event)
        if second:
            self._keep(second)
        if isinstance(event, Status) and event.state != self._state:
            self._state = event.state
            self._put(partial(writing.write_event, second=int(event.time_s), kind=event.state, text=event.detail))
        if isinstance(event, Moment):
            text = f"{event.confidence:.0%} sure"
            self._put(partial(writing.write_event, second=int(event.at_s), kind=event.turn, text=text))

    def mark(self, mark: Mark) -> None:
        """Keep a mark."""
        self._history.mark(mark.time_s, mark.text)
        self._put(partial(writing.write_mark, second=int(mark.time_s), text=mark.text))

    def end(self) -> None:
        """Keep the last second: the source came to its end."""
        second = self._seconds.end()
        if second:
            self._keep(second)
        self._put(writing.close_set)

    def timeline(self) -> bytes:
        """Return what `/timeline` answers with."""
        return self._history.to_json(self._session)

    def _keep(self, second: Second) -> None:
        self._history.add(second)
        if self._log:
            self._put(partial(writing.write_second, second=second, at=time.time()))
            for part in self._parts.add(second):
                self._put(partial(writing.write_part, part=part))

    def _put(self, write: Write) -> None:
        if self._log and self._open:
            self._log.put(self._open, write)
