"""What the page and programs may change by POST: marks, names of parts, models. All is in the query, without a body."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Protocol

from stream_analyzer.errors import ProtocolError
from stream_analyzer.protocol.encode import event_data
from stream_analyzer.serving.web.server import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream_analyzer.protocol.kinds import Mark

LONGEST = 200  # characters


class Marker(Protocol):
    """Who can mark the present moment."""

    def mark(self, text: str) -> Mark:
        """Mark it."""


async def marked(markers: Mapping[str, Marker], query: Mapping[str, str]) -> Answer:
    """Set a mark, of the first input unless another is named; answers with its time (sample clock) and text."""
    known(query, "text", "input")
    marker = markers.get(query.get("input", "")) or next(iter(markers.values()))
    mark = marker.mark(text_of(query, "text"))
    return as_json({"time_s": round(mark.time_s, 3), **event_data(mark)})


class Reloader(Protocol):
    """Who can read the models again."""

    async def reload(self) -> list[str]:
        """Read them, and return what they are."""


async def reloaded(reloader: Reloader, query: Mapping[str, str]) -> Answer:
    """Read the models folder of the settings again; answers with the models that judge from here on."""
    if query:  # no folder: a path from the network would be a way to read this machine's files
        msg = "the models are read from the folder of the settings; leave the parameters out"
        raise ProtocolError(msg)
    return as_json({"models": await asyncio.shield(reloader.reload())})  # though who asks may be gone by then


def known(query: Mapping[str, str], *names: str) -> None:
    """Refuse a parameter that is none of ``names``. Raises `ProtocolError`."""
    unknown = sorted(set(query) - set(names))
    if unknown:
        msg = f"unknown parameter {unknown[0][:40]!r}; known are {', '.join(names)}"
        raise ProtocolError(msg)


def text_of(query: Mapping[str, str], name: str) -> str:
    """Return a text that can be shown in one line. Raises `ProtocolError`."""
    text = " ".join(query.get(name, "").split())
    if len(text) > LONGEST or not text.isprintable():
        msg = f"{name} must be at most {LONGEST} characters that can be printed"
        raise ProtocolError(msg)
    return text


def as_json(data: object) -> Answer:
    """Return an answer in JSON."""
    return Answer(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), "application/json")
