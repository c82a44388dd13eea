"""One file of a library -> its rows: the whole of it, and its parts. Runs on the workers, from the file on."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.genre.embedding import EmbeddingModel
from stream_analyzer.analysis.genre.head import GenreHead
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.analysis.key.names import camelot_of
from stream_analyzer.errors import BrokenOff
from stream_analyzer.library.places import Found, brought
from stream_analyzer.offline import analyze_file
from stream_analyzer.protocol.encode import event_data
from stream_analyzer.protocol.seconds import Seconds
from stream_analyzer.protocol.summary import RunningSummary
from stream_analyzer.sets.parts import Part, PartFinder
from stream_analyzer.system.resources import resource_folder

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.types import TempoRange

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """How a file is to be heard: as by the models in a folder (None: those that ship) and with these settings."""

    models: Path | None = None
    tempo_range: TempoRange | None = None
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a file amounts to: its row, and those of its parts."""

    file: Row
    parts: list[Row]


def hear(found: Found, request: Request) -> Heard:
    """Analyse a file from its beginning to its end. Raises `AudioError` if nothing can be heard of it."""
    heads, embedding = _heads(request, threading.get_ident())
    summary, seconds, finder = RunningSummary(), Seconds(), PartFinder()
    parts: dict[int, Part] = {}
    problem = None
    if embedding:
        embedding.take()
    try:
        with brought(found.path) as path:
            for _, events in analyze_file(path, heads, channel=request.channel):
                for event in events:
                    summary.add(event)
                    if second := seconds.add(event):
                        parts |= {part.start_s: part for part in finder.add(second)}
    except BrokenOff as error:
        problem = str(error)
    if last := seconds.end():
        parts |= {part.start_s: part for part in finder.add(last)}
    values = embedding.take() if embedding else None
    whole = _row(event_data(summary.summary()))
    return Heard(
        {
            "path": found.path, "size": found.size, "modified": found.modified, **whole, "problem": problem,
            "embedding": None if values is None else values.tolist(),
        },
        [_part(found.path, number, part) for number, part in enumerate(sorted(parts.values(), key=_start), 1)],
    )  # fmt: skip


@lru_cache(maxsize=8)
def _heads(request: Request, _thread: int) -> tuple[list[Head], EmbeddingModel | None]:
    """Return heads for each thread of a worker to keep: an interpreter has one owner."""
    folder = request.models or resource_folder("models")
    heads = load_heads(folder, tempo_range=request.tempo_range)
    for head in heads:
        if isinstance(head, GenreHead):
            head.model = model = EmbeddingModel(folder / head.name)
            return heads, model
    return heads, None


def _row(found: dict[str, Any]) -> Row:
    """Return the summary of a file as the columns of a table."""
    tempo, genre, key, loudness = (found[name] or {} for name in ("tempo", "genre", "key", "loudness"))
    return {
        "duration_s": found["duration_s"],
        "bpm": tempo.get("bpm"),
        "bpm_confidence": tempo.get("confidence"),
        "genre": genre.get("label"),
        "genre_confidence": genre.get("confidence"),
        "key": key.get("label"),
        "camelot": key.get("camelot"),
        "key_confidence": key.get("confidence"),
        "music": found["music"],
        "lufs": loudness.get("integrated_lufs"),
        "range_lu": loudness.get("range_lu"),
        "true_peak_dbtp": loudness.get("true_peak_dbtp"),
        "drops_s": list(found["drops_s"]),
    }


def _start(part: Part) -> int:
    return part.start_s


def _part(path: str, number: int, part: Part) -> Row:
    return {
        "path": path, "part": number, "start_s": part.start_s, "end_s": part.end_s, "bpm": part.bpm,
        "genre": part.genre, "key": part.key, "camelot": camelot_of(part.key), "lufs": part.lufs,
    }  # fmt: skip
