"""A set in the forms of other programs: CSV, JSON, cue sheets, Audacity's labels. Pure."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stream_analyzer.protocol.history import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.protocol.seconds import Second
    from stream_analyzer.sets.reading import Night, PartRow

MOST_TRACKS = 99  # a cue sheet numbers them with two digits
_COLUMNS = ("number", "start_s", "end_s", "started_at", "bpm", "key", "camelot", "genre", "lufs", "title", "artist")


def to_csv(night: Night, _seconds: Sequence[Second]) -> str:
    """Return a row for each part."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(_COLUMNS)
    for part in night.parts:
        known = asdict(part) | {"started_at": moment(night, part.start_s)}
        table.writerow("" if known[name] is None else known[name] for name in _COLUMNS)
    return text.getvalue()


def to_json(night: Night, seconds: Sequence[Second]) -> str:
    """Return all there is, the seconds as columns like those of `/timeline`, with loudness."""
    about = asdict(night.about) | {"started_at": moment(night, 0)}
    about["parts"], about["marks"] = len(night.parts), len(night.marks)
    rows = columns(seconds, session=str(night.about.id)) | {"lufs": [second.lufs for second in seconds]}
    known = {"set": about, "parts": night.parts, "events": night.events, "marks": night.marks}
    return json.dumps({**known, "seconds": rows}, default=asdict, ensure_ascii=False) + "\n"


def to_cue(night: Night, _seconds: Sequence[Second]) -> str:
    """Return a track for each part, 99 at most, in a file named as the source."""
    lines = [
        f"REM DATE {moment(night, 0)[:10]}",
        'REM COMMENT "Stream Analyzer"',
        f"TITLE {_quoted(f'Set {night.about.id}')}",
        f"FILE {_quoted(night.about.source)} WAVE",
    ]
    for part in night.parts[:MOST_TRACKS]:
        minutes, seconds = divmod(part.start_s, 60)
        lines += [
            f"  TRACK {part.number:02d} AUDIO",
            f"    TITLE {_quoted(part.title or describe(part))}",
            *([f"    PERFORMER {_quoted(part.artist)}"] if part.artist else []),
            f"    INDEX 01 {minutes:02d}:{seconds:02d}:00",
        ]
    return "\n".join(lines) + "\n"


def to_labels(night: Night, _seconds: Sequence[Second]) -> str:
    """Return a region for each part and a point for each mark, as Audacity imports them."""
    rows = [(part.start_s, part.end_s, part.name or describe(part)) for part in night.parts]
    rows += [(mark.second, mark.second, mark.text or "mark") for mark in night.marks]
    return "".join(f"{start_s:.6f}\t{end_s:.6f}\t{_one_line(text)}\n" for start_s, end_s, text in sorted(rows))


FORMATS: dict[str, Callable[[Night, Sequence[Second]], str]] = {
    "csv": to_csv,
    "json": to_json,
    "cue": to_cue,
    "labels": to_labels,
}


def describe(part: PartRow) -> str:
    """Return what is known of a part without a name."""
    known = (f"{part.bpm:.1f} BPM" if part.bpm else "", part.camelot or "", part.key or "", part.genre or "")
    return ", ".join(text for text in known if text) or "?"


def clock(seconds: int) -> str:
    """Return a length of time as hours, minutes and seconds."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def moment(night: Night, second: int) -> str:
    """Return the time of day of a second of the set, as ISO 8601 with the zone of this machine."""
    at = datetime.fromtimestamp(night.about.started_at + second, UTC).astimezone()
    return at.isoformat(timespec="seconds")


def _quoted(text: str) -> str:
    """Return text as cue sheets quote it; they know no escape."""
    return '"' + _one_line(text).replace('"', "'") + '"'


def _one_line(text: str) -> str:
    return " ".join(text.split())
