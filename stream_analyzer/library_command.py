"""The commands `analyze --out` and `similar`: a library of sound files becomes a result, and a result is asked."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from stream_analyzer import __version__, library
from stream_analyzer.assembly import load_heads
from stream_analyzer.errors import AudioError, ConfigError, StreamAnalyzerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from stream_analyzer.library.hearing import Request
    from stream_analyzer.library.places import Found
    from stream_analyzer.library.table import Table
    from stream_analyzer.settings.config import Settings

    Say = Callable[[str], None]

_STOPPED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `analyze` that make a result."""
    library_ = parser.add_argument_group("a library", "many files and folders of them; the same command goes on again")
    library_.add_argument("--out", metavar="RESULT", help="folder for Parquet tables, such as results.parquet")
    add_crew_arguments(library_)


def add_crew_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare the arguments that say who works."""
    parser.add_argument("--scheduler", metavar="tcp://HOST:PORT", default="", help="of a Dask cluster")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes here (all cores)")


def add_similar_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `similar`."""
    parser.add_argument("file", metavar="FILE", help="a sound file, in the result or not")
    parser.add_argument("--in", dest="result", required=True, metavar="RESULT", help="what analyze --out made")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="so many files (%(default)s)")


def run(options: argparse.Namespace, settings: Settings, write_line: Say, note: Say) -> int:
    """Analyse what is not in the result yet; what is wrong with a file is noted, and the others are done."""
    library.require()
    if options.timeline or options.write_tags is not None:
        msg = "--out writes tables alone; use --timeline and --write-tags without it"
        raise ConfigError(msg)
    from stream_analyzer.library.places import find  # noqa: PLC0415
    from stream_analyzer.library.table import Table  # noqa: PLC0415

    files = find(options.files)
    if not files:
        msg = f"no sound file in {', '.join(options.files)}; name folders with music, or files"
        raise AudioError(msg)
    table = Table(options.out, analyzed_by=_describe(settings))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    todo = table.begin(files)
    before, failures, stopped = len(files) - len(todo), {}, False
    try:
        for path, problem in _heard(table, todo, settings, options):
            failures[path] = problem
            note(f"stream-analyzer: {problem}")
    except KeyboardInterrupt:
        stopped = True
    finally:
        table.flush()
    failed = table.write_failures(failures)
    told = {"result": options.out, "files": len(table), "before": before, "failures": failed, "stopped": stopped}
    text = f"{options.out}: {len(table)} files, {before} of them from before; {failed} with a problem: failures.csv"
    write_line(json.dumps(told) if settings.json else text)
    if stopped:
        note("stream-analyzer: stopped; the same command goes on from here")
        return _STOPPED
    return 1 if failures else 0


def _heard(
    table: Table, todo: Sequence[Found], settings: Settings, options: argparse.Namespace
) -> Iterator[tuple[str, str]]:
    """Let workers hear files, put their rows into the table, and yield path and problem of those that have one."""
    if not todo:
        return
    from tqdm import tqdm  # noqa: PLC0415

    from stream_analyzer.library.engine import crew, each  # noqa: PLC0415
    from stream_analyzer.library.hearing import hear  # noqa: PLC0415

    work = partial(hear, request=_request(settings))
    with crew(scheduler=options.scheduler, workers=options.workers) as client:
        for found, heard in tqdm(each(client, work, todo), total=len(todo), unit="file", disable=None, leave=False):
            if not isinstance(heard, Exception):
                table.add(heard)
                if heard.file["problem"]:
                    yield found.path, heard.file["problem"]
            elif isinstance(heard, StreamAnalyzerError):
                yield found.path, str(heard)
            else:
                yield found.path, f"{found.path}: {type(heard).__name__}: {heard}"


def _request(settings: Settings) -> Request:
    from stream_analyzer.library.hearing import Request  # noqa: PLC0415

    return Request(settings.models, settings.tempo_range, settings.channel)


def _describe(settings: Settings) -> str:
    """Return by what files are analysed: rows by something else are not comparable."""
    models = [head.model.manifest for head in load_heads(settings) if head.model]
    names = [f"{one.name} {one.version} {one.sha256[:8]}" for one in models]
    own = [f"{name} {value}" for name in ("tempo_range", "channel") if (value := getattr(settings, name)) is not None]
    return "; ".join([f"stream-analyzer {__version__}", *names, *own])


def similar(options: argparse.Namespace, settings: Settings, write_line: Say) -> int:
    """List the files of a result that are nearest to one."""
    library.require()
    from stream_analyzer.library.hearing import hear  # noqa: PLC0415
    from stream_analyzer.library.places import find  # noqa: PLC0415
    from stream_analyzer.library.similar import Result  # noqa: PLC0415

    result = Result(options.result)
    files = find([options.file])
    if len(files) != 1:
        msg = f"{options.file}: must be one sound file, not {len(files)}"
        raise ConfigError(msg)
    embedding = result.embedding(files[0].path) or hear(files[0], _request(settings)).file["embedding"]
    if embedding is None:
        msg = f"{options.file}: no music was heard in it, so nothing is like it; give a longer file"
        raise AudioError(msg)
    for one in result.nearest(embedding, most=options.count, path=files[0].path):
        bpm = f"{one.bpm:.1f} BPM" if one.bpm else "no tempo"
        text = f"{one.similarity:.3f}  {one.path}  {bpm}  {one.genre or 'no genre'}  {one.key or 'no key'}"
        write_line(json.dumps(asdict(one), ensure_ascii=False) if settings.json else text)
    return 0
