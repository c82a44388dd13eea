"""Ableton Link: the analyzer leads tempo and beat of all Link programs here. The only user of aalink (GPL)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from stream_analyzer.errors import ConfigError
from stream_analyzer.serving.clocks.line import Conductor, Line
from stream_analyzer.serving.hub import Newest

if TYPE_CHECKING:
    from aalink import Link

    from stream_analyzer.serving.hub import Hub

logger = logging.getLogger(__name__)

MISSING = "Ableton Link needs aalink (GPL); pip install 'stream-analyzer[link]' adds it"
_USUAL_BPM = 120.0
_FAR_BEATS = 0.2  # off by more, or in another bar, the others are made to jump
_CORRECTS_BEATS = 2.0  # the time in which what it is off is put right
_MOST = 0.05  # of the tempo, to put it right
_RANGE_BPM = (20.0, 999.0)  # Link's own


class LinkSink:
    """Leads a Link session while there are beats. State: none but Link's."""

    def __init__(self) -> None:
        """Raise `ConfigError` if the library is missing."""
        try:
            import aalink  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise ConfigError(MISSING) from error

    async def follow(self, hub: Hub) -> None:
        """Lead by what ``hub`` gives until it closes."""
        from aalink import Link  # noqa: PLC0415

        conductor, loop = Conductor(), asyncio.get_running_loop()
        link = Link(_USUAL_BPM)
        link.start_stop_sync_enabled = True
        link.enabled = True
        try:
            with hub.subscribe(Newest("hello", "beat", "level", "status")) as box:
                while messages := await box.take():
                    for message in messages:
                        if message.event and conductor.hear(message.event, loop.time()):
                            steer(link, conductor.line, loop.time())
        finally:
            link.enabled = False


def steer(link: Link, line: Line | None, now_s: float) -> None:
    """Bring a session onto the line: by its tempo where it is near, else by a jump. Without a line it plays on."""
    if line is None:
        return
    first = line.downbeat or 0
    link.quantum = line.bar
    wanted = (line.position(now_s) - first) % line.bar
    off = (wanted - link.phase + line.bar / 2) % line.bar - line.bar / 2
    if line.downbeat is None:  # any beat may be the first
        off = (off + 0.5) % 1.0 - 0.5
    bpm = 60.0 / line.period_s
    if abs(off) > _FAR_BEATS:
        link.force_beat(wanted)
    else:
        bpm *= 1.0 + min(max(off / _CORRECTS_BEATS, -_MOST), _MOST)
    low, high = _RANGE_BPM
    link.tempo = min(max(bpm, low), high)
