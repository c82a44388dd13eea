"""The command `analyze`: whole files, one line or one JSON object each, and what was found as tags in them."""

from __future__ import annotations

import glob
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_analyzer import library_command, tags
from stream_analyzer.assembly import load_heads
from stream_analyzer.errors import AudioError, BrokenOff, ConfigError
from stream_analyzer.system.address import is_url

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.settings.config import Settings

    Say = Callable[[str], None]

_BAR_AFTER_S = 1.0
_BAR_WIDTH = 30
_AS_LIKELY = 0.5  # an alternative with this salience is told


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `analyze`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a sound file, the URL of one, or with --out a folder")
    parser.add_argument("--timeline", action="store_true", help="with --json: every update too")
    parser.add_argument(
        "--write-tags", metavar="NAMES", help="show what bpm, key, genre would become in the file's tags"
    )
    parser.add_argument("--yes", action="store_true", help="with --write-tags: write them")
    parser.add_argument("--overwrite", action="store_true", help="with --write-tags: in place of what is there, too")
    library_command.add_arguments(parser)


def run(options: argparse.Namespace, settings: Settings, write_line: Say, note: Say) -> int:
    """Analyse the files one after another; what is wrong with one is noted, and the others are done."""
    if options.out is not None:
        return library_command.run(options, settings, write_line, note)
    if options.scheduler or options.workers:
        msg = "--scheduler and --workers go with --out, which says where the results go"
        raise ConfigError(msg)
    names = tags.read_names(options.write_tags) if options.write_tags is not None else ()
    heads = load_heads(settings)
    failures = 0
    for name in _expanded(options.files):
        try:
            result = _analyze_file(name, heads, settings, timeline=options.timeline)
        except AudioError as error:
            note(f"stream-analyzer: {error}")
            failures += 1
            continue
        if "broken" in result:
            note(f"stream-analyzer: {result['broken']}")
            failures += 1
        try:
            result |= {"tags": _tag(name, result, names, options)} if names else {}
        except AudioError as error:
            note(f"stream-analyzer: {error}")
            failures += 1
        write_line(json.dumps(result, ensure_ascii=False) if settings.json else _describe(result))
    return 1 if failures else 0


def _tag(name: str, result: dict[str, Any], names: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """Write what is due into the tags of a file, if that is wanted; return old and new of each."""
    changes = tags.propose(Path(name), result, names)
    due = [change for change in changes if change.is_due(overwrite=options.overwrite)]
    if options.yes and due and "broken" not in result:
        tags.write(Path(name), due)
    return {
        one.name: {"tag": one.tag, "old": one.old, "new": one.new, "written": options.yes and one in due}
        for one in changes
    }


def _expanded(patterns: list[str]) -> Iterator[str]:
    """Yield the files that are meant: Windows leaves it to each program to fill in ``*``."""
    for pattern in patterns:
        found = [] if os.path.lexists(pattern) else sorted(glob.glob(pattern))  # noqa: PTH207 - of any folder
        yield from found or [pattern]


def _analyze_file(name: str, heads: list[Head], settings: Settings, *, timeline: bool) -> dict[str, Any]:
    from stream_analyzer.offline import analyze_file  # noqa: PLC0415
    from stream_analyzer.protocol.encode import event_data  # noqa: PLC0415
    from stream_analyzer.protocol.summary import RunningSummary, Timeline  # noqa: PLC0415

    summary, rows = RunningSummary(), Timeline(head.event for head in heads)
    begun = time.monotonic()
    bar = sys.stderr.isatty()
    drawn, broken = False, {}
    try:
        for done, events in analyze_file(name, heads, channel=settings.channel):
            for event in events:
                summary.add(event)
                if timeline:
                    rows.add(event)
            if bar and time.monotonic() - begun > _BAR_AFTER_S:
                drawn = True
                filled = "#" * round(done * _BAR_WIDTH)
                print(f"\r{Path(name).name} [{filled:<{_BAR_WIDTH}}] {done:4.0%}", end="", file=sys.stderr)  # noqa: T201
    except BrokenOff as error:
        broken = {"broken": str(error)}
    finally:
        if drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201
    found = event_data(summary.summary())
    return {
        "file": name if is_url(name) else str(Path(name)),
        **found,
        **broken,
        **({"timeline": rows.to_dict()} if timeline else {}),
    }


def _describe(result: dict[str, Any]) -> str:
    tempo, genre = result["tempo"], result["genre"]
    return "  ".join(
        (
            result["file"],
            f"{result['duration_s']:.1f} s",
            _describe_tempo(tempo) if tempo else "no tempo",
            f"{genre['label']} ({genre['confidence']:.0%})" if genre else "no genre",
            f"music {result['music']:.0%}",
            *([f"{result['key']['label']} ({result['key']['camelot']})"] if result["key"] else []),
            *_describe_loudness(result["loudness"]),
            *([f"{drops} drop{'s' * (drops > 1)}"] if (drops := len(result["drops_s"])) else []),
            *[_describe_tag(tag) for tag in result.get("tags", {}).values()],
        )
    )


def _describe_loudness(loudness: dict[str, Any] | None) -> list[str]:
    """Return integrated loudness and true peak, where there are any."""
    if not loudness or loudness["integrated_lufs"] is None:
        return []
    return [f"{loudness['integrated_lufs']:.1f} LUFS", f"peak {loudness['true_peak_dbtp']:.1f} dBTP"]


def _describe_tag(tag: dict[str, Any]) -> str:
    """Return what becomes of a tag: `TBPM: - -> 128 (written)`."""
    if not tag["new"]:
        return f"{tag['tag']}: {tag['old'] or '-'} (nothing sure)"
    if tag["old"] == tag["new"]:
        return f"{tag['tag']}: {tag['old']}"
    return f"{tag['tag']}: {tag['old'] or '-'} -> {tag['new']}{' (written)' * tag['written']}"


def _describe_tempo(tempo: dict[str, Any]) -> str:
    """Return a tempo and, where half or double of it is about as likely, that too."""
    other = "".join(f" or {one['bpm']:.1f}" for one in tempo["alternatives"][:1] if one["salience"] >= _AS_LIKELY)
    return f"{tempo['bpm']:.1f}{other} BPM ({tempo['confidence']:.0%})"
