"""Whole files through the same analyzer as live sound, as fast as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.errors import AudioError, BrokenOff
from stream_analyzer.sound.files import look_at, read_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream_analyzer.analysis.analyzer import Models
    from stream_analyzer.types import Event, TempoRange


def analyze_file(
    path: Path,
    models: Models,
    *,
    channel: int | None = None,
    tempo_range: TempoRange | None = None,
    block_s: float = 0.5,
) -> Iterator[tuple[float, list[Event]]]:
    """Yield, block by block, the share of the file that is done (0..1) and the events that came of it.

    Raises
    ------
    BrokenOff
        The file is damaged; all that could be read has been analysed, to the last event.
    AudioError
        The file can't be read, or is too short for a first judgement.
    """
    found = look_at(path)
    if channel is not None and channel > found.channels:
        msg = f"{path}: has {found.channels} channels, not {channel}; choose one of them with --channel, or mix"
        raise AudioError(msg)
    analyzer = Analyzer(models, channel=channel, tempo_range=tempo_range)
    heard_s, broken = 0.0, None
    try:
        for block in read_blocks(path, block_s=block_s):
            heard_s += block.duration_s
            yield min(1.0, heard_s / max(found.length_s, heard_s)), analyzer.feed(block)
    except BrokenOff as error:
        broken = error
    if heard_s < models.first_judgement_s:
        needed = f"a first judgement needs {models.first_judgement_s:.1f} s"
        msg = str(broken or f"{path}: lasts {heard_s:.2f} s") + f"; {needed}, give a longer file"
        raise AudioError(msg)
    yield 1.0, analyzer.end()
    if broken:
        raise broken
