"""MIDI clock: 24 ticks a beat on a port of this machine, start on a downbeat, stop when the beats end.

A thread of its own sends them, for what the event loop does would make them late. The only user of mido.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stream_analyzer.errors import ConfigError
from stream_analyzer.serving.clocks.line import Conductor, Line
from stream_analyzer.serving.hub import Newest
from stream_analyzer.system.backoff import backoff_s
from stream_analyzer.system.stderr import native_stderr_closed
from stream_analyzer.system.threads import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.serving.hub import Hub

logger = logging.getLogger(__name__)

MISSING = "MIDI needs mido and python-rtmidi; pip install 'stream-analyzer[midi]' adds them"
VIRTUAL = "virtual"
_NAME = "Stream Analyzer"
_TICKS = 24  # a beat, as MIDI has it
_WITHOUT_BAR = 8  # beats, after which it starts although no bar is known
_MOVED_BARS = 4  # downbeats in a row that are elsewhere than where it started
_END_LIMIT_S = 1.0
_LOOK_EVERY_S = 5.0
_LATE_BEATS = 1.0  # ticks that the machine slept through are left out


class MidiSink:
    """Plays the clock on a port. State: what was said of the port last."""

    def __init__(self, port: str) -> None:
        """Send to the port whose name has ``port`` in it; `VIRTUAL` makes one. Raises `ConfigError`."""
        self._wanted, self._told = port, ""
        try:
            import mido  # noqa: F401, PLC0415 - an extra
        except ImportError as error:
            raise ConfigError(MISSING) from error
        _names()

    async def follow(self, hub: Hub) -> None:
        """Play what ``hub`` gives until it closes; a port that is not there, or went, is looked for."""
        attempt, over = 0, False
        with hub.subscribe(Newest("hello", "beat", "level", "status")) as box:
            while not over:
                if port := await in_daemon_thread(self._open, name="open MIDI port"):
                    attempt, over = 0, await self._play(box, port)
                else:
                    await asyncio.sleep(backoff_s(attempt))
                    attempt += 1

    async def _play(self, box: Newest, port: Any) -> bool:  # noqa: ANN401 - mido has no types
        """Play until no more comes, or the port is gone; tell whether it is over."""
        player, conductor, loop = Player(port.send), Conductor(), asyncio.get_running_loop()
        gone = asyncio.create_task(self._watch(port.name), name="watch MIDI port")
        try:
            while messages := await box.take():
                if player.failed or gone.done():
                    logger.warning("MIDI port %s is gone; looking for it", port.name)
                    return False
                now_s = loop.time()
                changed = [conductor.hear(message.event, now_s) for message in messages if message.event]
                if any(changed):
                    player.play(conductor.line)
        finally:
            gone.cancel()
            player.end()
            port.close()
        return True

    async def _watch(self, name: str) -> None:
        """Wait until a port is gone: what is sent to one that was pulled out fails nowhere."""
        with suppress(ConfigError):
            while self._wanted == VIRTUAL or name in await in_daemon_thread(_names, name="list MIDI ports"):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_LOOK_EVERY_S)

    def _open(self) -> Any:  # noqa: ANN401 - mido has no types
        import mido  # noqa: PLC0415

        trouble = ""
        try:
            with native_stderr_closed():
                if self._wanted == VIRTUAL:
                    return mido.open_output(_NAME, virtual=True)
                names = _names()
                if name := next((name for name in names if self._wanted.casefold() in name.casefold()), None):
                    return mido.open_output(name)
            trouble = f"no MIDI port {self._wanted!r}; ports here: {'; '.join(names) or 'none'}; looking for it"
        except (OSError, RuntimeError, ConfigError) as error:  # rtmidi's are RuntimeErrors
            trouble = f"can't open MIDI port {self._wanted!r}: {error}; trying on"
        if trouble != self._told:
            logger.warning("%s", trouble)
        self._told = trouble
        return None


def _names() -> list[str]:
    import mido  # noqa: PLC0415

    try:
        with native_stderr_closed():
            names: list[str] = mido.get_output_names()
    except (ImportError, OSError, RuntimeError) as error:
        missing = isinstance(error, ImportError)
        msg = MISSING if missing else f"no MIDI on this machine: {error}; on Linux it needs ALSA's sequencer (snd-seq)"
        raise ConfigError(msg) from error
    return names


class Ticks:
    """What is sent when, along lines. State: the next tick, of which run, and the beat at which it started."""

    def __init__(self, send: Callable[[Any], object]) -> None:
        """Send by ``send``; nothing is due yet."""
        import mido  # noqa: PLC0415

        self._send = send
        self._tick, self._start, self._stop = (mido.Message(kind) for kind in ("clock", "start", "stop"))
        self._next: int | None = None
        self._run = 0
        self._started: int | None = None
        self._beats, self._moved = 0, 0

    def due_s(self, line: Line | None, now_s: float) -> float | None:
        """Return when the next tick is due; None if none is, and then it has stopped."""
        if line is None or (self._next is not None and self._next / _TICKS > line.ends):
            self.halt()
            self._next = None
            return None
        now = line.position(now_s)
        if self._next is None or line.run != self._run or abs(now - self._next / _TICKS) > _LATE_BEATS:
            self.halt()
            self._next, self._run = math.floor(now * _TICKS) + 1, line.run
        return line.time_of(self._next / _TICKS)

    def tick(self, line: Line) -> None:
        """Send the tick that is due, on a downbeat perhaps with the start."""
        if self._next is None:
            return
        beat, rest = divmod(self._next, _TICKS)
        if not rest:
            self._count(line, beat)
        self._send(self._tick)
        self._next += 1

    def halt(self) -> None:
        """Stop, if it has started."""
        if self._started is not None:
            self._send(self._stop)
        self._started, self._beats, self._moved = None, 0, 0

    def _count(self, line: Line, beat: int) -> None:
        """Look at a beat that begins: start, or start anew where the bars have moved."""
        self._beats += 1
        downbeat = line.is_downbeat(beat)
        if self._started is not None and downbeat:
            self._moved = self._moved + 1 if (beat - self._started) % line.bar else 0
            if self._moved >= _MOVED_BARS:
                self._send(self._stop)
                self._started = None
        if self._started is None and (downbeat or (downbeat is None and self._beats >= _WITHOUT_BAR)):
            self._send(self._start)
            self._started, self._moved = beat, 0


class Player:
    """Sends ticks when they are due, from a thread. State: the line, whether it is over, and whether sending failed."""

    def __init__(self, send: Callable[[Any], object]) -> None:
        """Send by ``send``; nothing is due yet."""
        self._ticks = Ticks(send)
        self._line: Line | None = None
        self._changed, self._over = threading.Event(), False
        self.failed = False
        self._thread = threading.Thread(target=self._run, name="MIDI clock", daemon=True)
        self._thread.start()

    def play(self, line: Line | None) -> None:
        """Go on along another line; None stops."""
        self._line = line
        self._changed.set()

    def end(self) -> None:
        """Stop, and let the thread end."""
        self._over = True
        self._changed.set()
        self._thread.join(_END_LIMIT_S)

    def _run(self) -> None:
        try:
            self._send_when_due()
        except (OSError, RuntimeError, ValueError):  # rtmidi's are RuntimeErrors, of a closed port ValueErrors
            self.failed = True

    def _send_when_due(self) -> None:
        while not self._over:
            line = self._line
            due_s = self._ticks.due_s(line, time.monotonic())
            if self._changed.wait(None if due_s is None else max(0.0, due_s - time.monotonic())):
                self._changed.clear()
            elif line is not None:
                self._ticks.tick(line)
        self._ticks.halt()
