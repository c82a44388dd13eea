"""What the command `subscribe` shows: the newest of each kind as one line, or every message as JSON."""

from __future__ import annotations

import shutil
import sys
from contextlib import closing
from typing import TYPE_CHECKING, get_args

from stream_analyzer.client.following import Gap, Lost, Received
from stream_analyzer.client.subscriber import subscribe_blocking
from stream_analyzer.errors import ConfigError
from stream_analyzer.protocol.kinds import Hello
from stream_analyzer.types import Beat, Energy, Genre, Key, Level, Loudness, Moment, Status, Tempo

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

LINE_TYPES = "tempo,genre,key,status"
_FRESH_S = 1.5
_Shown = Tempo | Beat | Genre | Key | Loudness | Energy | Moment | Level | Status
_ERASE = "\r\x1b[K"


def follow(
    url: str, *, types: str, hz: float | None, token: str | None, input_name: str | None = None
) -> closing[Generator[Received]]:
    """Subscribe to what can be shown as text."""
    if "spectrum" in types.split(","):
        msg = f"types = {types}: the spectrum is not text, and can't be shown here; leave it out"
        raise ConfigError(msg)
    return closing(subscribe_blocking(url, types=types, hz=hz, token=token, input_name=input_name))


class LiveLine:
    """The newest of each kind in words. State: those, and the sample clock."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._parts: dict[type, str] = {}
        self._time_s = 0.0

    def update(self, event: object) -> None:
        """Take an event into account."""
        if isinstance(event, Lost):
            self._parts = {Lost: f"no connection: {event.reason}; next attempt in {event.retry_s:.0f} s"}
        elif isinstance(event, Hello):
            self._parts, self._time_s = {}, 0.0
        elif isinstance(event, _Shown):
            self._time_s = max(self._time_s, event.time_s)
            self._parts[type(event)] = _words(event)

    @property
    def clock(self) -> str:
        """The sample clock."""
        minutes, seconds = divmod(int(self._time_s), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

    def __str__(self) -> str:
        """Return it without the clock."""
        order = (Lost, *get_args(_Shown))
        shown = "   ".join(self._parts[kind] for kind in order if kind in self._parts)
        # What a server says must not steer the terminal.
        return "".join(character if character.isprintable() else "?" for character in shown)


def show_line(stream: Iterable[Received], write_line: Callable[[str], None], note: Callable[[str], None]) -> None:
    """Show what comes on a terminal as one line; elsewhere a line for each change."""
    if not sys.stdout.isatty():
        _write_changes(stream, write_line, note)
        return
    line = LiveLine()
    try:
        for received in stream:
            line.update(received.event)
            width = shutil.get_terminal_size().columns - 1
            sys.stdout.write(_ERASE + f"{line.clock}  {line}"[:width])
            sys.stdout.flush()
    finally:
        sys.stdout.write("\n")


def _write_changes(stream: Iterable[Received], write_line: Callable[[str], None], note: Callable[[str], None]) -> None:
    line, shown = LiveLine(), ""
    for received in _without_lost(stream, note):
        line.update(received.event)
        if str(line) not in ("", shown):
            shown = str(line)
            write_line(f"{line.clock}  {shown}")


def write_messages(stream: Iterable[Received], write_line: Callable[[str], None], note: Callable[[str], None]) -> None:
    """Write each message as it came, one a line; what is missing goes to ``note``."""
    for received in _without_lost(stream, note):
        match received.event:
            case Gap(kind=None):
                note("the analyzer has started anew; what came between is lost")
            case Gap(kind=kind, missed=missed):
                note(f"missed {missed} of {kind}")
            case _ if isinstance(received.payload, str):
                # A line break in JSON can only be white space between its parts.
                write_line(received.payload.replace("\r", " ").replace("\n", " "))


def _without_lost(stream: Iterable[Received], note: Callable[[str], None]) -> Iterator[Received]:
    """Yield what is no `Lost`; tell that once, until there is a line again or another reason."""
    told = ""
    for received in stream:
        if not isinstance(received.event, Lost):
            told = ""
            yield received
        elif received.event.reason != told:
            told = received.event.reason
            note(f"no connection: {told}; trying again, Ctrl-C ends")


def _words(event: _Shown) -> str:  # noqa: PLR0911 - one a kind
    match event:
        case Tempo():
            bar = f", {event.beats_in_bar} beats a bar" if event.beats_in_bar else ""
            return f"{event.bpm:5.1f} BPM {event.confidence:.0%} {event.state}{bar}{_ago(event.age_s)}"
        case Beat():
            return f"beat {event.number} of {event.beats_in_bar}" if event.number else "beat"
        case Genre():
            style = f" ({event.sub_genre.label})" if event.sub_genre else ""
            guess = "" if event.sure else ", a guess"
            doubt = ", not music" if event.state == "not_music" else guess
            second = f" or {event.second.label}" if event.second else ""
            both = event.confidence + (event.second.p if event.second else 0.0)
            return f"{event.label or 'no genre'}{second}{style} {both:.0%}{doubt}{_ago(event.age_s)}"
        case Key():
            return _key_words(event)
        case Loudness():
            return f"{event.short_term_lufs:.1f} LUFS"
        case Energy():
            return f"energy {event.value:.0%}"
        case Moment():
            return f"{event.turn.replace('_', '-')} {event.confidence:.0%}"
        case Level():
            return f"{event.rms_dbfs:.0f} dBFS" + (" clipping" if event.clipping else "")
        case Status():
            return "demo, " * event.demo + event.state + (f": {event.detail}" if event.detail else "")


def _key_words(key: Key) -> str:
    guess = ", a guess" if key.state == "searching" else ""
    name = f"{key.label} ({key.camelot}) {key.confidence:.0%}{guess}" if key.label else "no clear key"
    return f"{name}{_ago(key.age_s)}"


def _ago(age_s: float) -> str:
    return f", {age_s:.0f} s ago" if age_s > _FRESH_S else ""
