"""The commands `sets` and `mark`: what the command line does with the set log."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream_analyzer.assembly import log_file
from stream_analyzer.errors import ConfigError, LogError
from stream_analyzer.sets import export, reading, writing
from stream_analyzer.sets.database import give_back, open_for_reading, open_for_writing, told, transaction
from stream_analyzer.sets.export import clock

if TYPE_CHECKING:
    import argparse
    import sqlite3
    from collections.abc import Callable, Iterator

    from stream_analyzer.sets.reading import Night, SetRow
    from stream_analyzer.settings.config import Settings

    Say = Callable[[str], None]

ACTIONS = ("list", "show", "export", "report", "delete")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `sets`."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list")
    parser.add_argument("sets", nargs="*", metavar="SET", help="number of a set, or last; to list: words to search for")
    forms = tuple(export.FORMATS)
    parser.add_argument("--format", dest="form", choices=forms, help="of export; csv if not given")
    parser.add_argument("--output", type=Path, metavar="FILE", help="of export and report")


MARK_HELP = "Mark this moment in the set of a running analyzer; with --title or --artist: name a part of a set."


def add_mark_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `mark`."""
    parser.add_argument("text", nargs="?", default="", help="what is to be said of the moment")
    parser.add_argument("--url", help="page of the running analyzer, if not this machine's")
    parser.add_argument("--set", dest="of", default="last", metavar="SET", help="number of the set; last if not given")
    parser.add_argument("--part", type=int, metavar="N", help="number of the part; the last if not given")
    parser.add_argument("--title", help="title of the part")
    parser.add_argument("--artist", help="artist of the part")


def mark(options: argparse.Namespace, settings: Settings, note: Say) -> int:
    """Set a mark, or name a part."""
    from stream_analyzer.client.marking import set_mark  # noqa: PLC0415 - loads what speaks with the network

    if options.title is None and options.artist is None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = options.url or f"http://{host}:{settings.port}"
        note(f"marked at {clock(round(set_mark(url, options.text, token=settings.token)))}")
        return 0
    path = _file(settings)
    with _night(path, options.of) as (_, night):
        number = len(night.parts) if options.part is None else options.part
        part = next((one for one in night.parts if one.number == number), None)
    if part is None:
        msg = f"set {night.about.id} has no part {number}; see: stream-analyzer sets show {night.about.id}"
        raise LogError(msg)
    title, artist = (given if given is not None else kept for given, kept in (
        (options.title, part.title), (options.artist, part.artist)))  # fmt: skip
    with told(path), closing(open_for_writing(path)) as connection, transaction(connection):
        writing.name_part(connection, night.about.id, part.start_s, title=title, artist=artist)
    return 0


def run(options: argparse.Namespace, settings: Settings, say: Say, note: Say) -> int:
    """Do what was asked for."""
    path = _file(settings)
    if options.action == "list":
        _list(path, " ".join(options.sets), settings, say)
    elif options.action == "delete":
        _delete(path, options.sets, note)
    else:
        with _night(path, _one(options.sets)) as (connection, night):
            if options.action == "show":
                _show(night, settings, say)
            elif options.action == "report":
                _report(connection, night, options.output, note)
            else:
                _export(connection, night, options, say, note)
    return 0


def _file(settings: Settings) -> Path:
    path = log_file(settings)
    if path is None:
        msg = "log = 'off', so there is no set log to read; name one with --log"
        raise ConfigError(msg)
    return path


def _one(which: list[str]) -> str:
    if len(which) > 1:
        msg = f"one set at a time, not {len(which)}: {' '.join(which)}"
        raise ConfigError(msg)
    return which[0] if which else "last"


@contextmanager
def _night(path: Path, which: str) -> Iterator[tuple[sqlite3.Connection, Night]]:
    with closing(open_for_reading(path)) as connection, told(path):
        yield connection, reading.read_night(connection, which)


def _list(path: Path, search: str, settings: Settings, say: Say) -> None:
    with closing(open_for_reading(path)) as connection, told(path):
        found = reading.list_sets(connection, search=search)
    for one in found:
        say(json.dumps(_as_json(one), ensure_ascii=False) if settings.json else _line(one))
    if not found and not settings.json:
        say("no set is like that" if search else "no set yet; the first begins with: stream-analyzer run")


def _as_json(one: SetRow) -> dict[str, object]:
    return asdict(one) | {"started_at": _when(one.started_at).isoformat(timespec="seconds")}


def _line(one: SetRow) -> str:
    """Return a set in one line."""
    marks = f", {one.marks} marks" if one.marks else ""
    name = "" if one.input == "main" else f"{one.input}, "
    when = _when(one.started_at).strftime("%Y-%m-%d %H:%M")
    parts = f"{one.parts:3d} part{'s' * (one.parts != 1)}"
    return f"{one.id:5d}  {when}  {clock(one.duration_s)}  {parts}{marks}  {name}{one.kind}: {one.source}"


def _show(night: Night, settings: Settings, say: Say) -> None:
    if settings.json:
        say(export.to_json(night, []).rstrip())
        return
    say(_line(night.about))
    lines = [(part.start_s, f"{part.number:3d}  {clock(part.end_s - part.start_s)}  {export.describe(part)}"
              + (f"  {part.lufs:.1f} LUFS" if part.lufs is not None else "")
              + (f"  {part.name}" if part.name else "")) for part in night.parts]  # fmt: skip
    lines += [(gap.second, f"     gap of {clock(gap.span_s)}: {gap.text}") for gap in night.gaps]
    lines += [(mark.second, f"     mark: {mark.text}".rstrip(": ")) for mark in night.marks]
    for second, line in sorted(lines, key=lambda one: one[0]):
        say(f"  {clock(second)}  {line}")


def _export(connection: sqlite3.Connection, night: Night, options: argparse.Namespace, say: Say, note: Say) -> None:
    form = options.form or "csv"
    if form == "cue" and len(night.parts) > export.MOST_TRACKS:
        note(f"a cue sheet holds {export.MOST_TRACKS} tracks; the parts after them are left out")
    text = export.FORMATS[form](night, reading.seconds_of(connection, night.about.id) if form == "json" else [])
    if options.output is None:
        say(text.rstrip("\n"))
    else:
        _write(options.output, text)


def _report(connection: sqlite3.Connection, night: Night, output: Path | None, note: Say) -> None:
    from stream_analyzer.sets import report  # noqa: PLC0415 - what draws it is slow to load

    path = output or Path(report.title_of(night))
    _write(path, report.to_html(night, reading.seconds_of(connection, night.about.id)))
    note(f"{path} holds the report; open it in a browser")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        msg = f"can't write {path}: {error.strerror}; name another file with --output"
        raise ConfigError(msg) from error


def _delete(path: Path, which: list[str], note: Say) -> None:
    if not which:
        msg = "which sets? their numbers are in: stream-analyzer sets list"
        raise ConfigError(msg)
    with told(path), closing(open_for_reading(path)) as connection:
        found = [reading.read_night(connection, one).about for one in which]
    with told(path), closing(open_for_writing(path)) as connection:
        with transaction(connection):
            for one in found:
                writing.delete_set(connection, one.id)
        give_back(connection)
    for one in found:
        note(f"deleted: {_line(one).strip()}")


def _when(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone()
