"""Whole files through the same analyzer as live sound, as fast as possible."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.errors import AudioError, BrokenOff
from stream_analyzer.sound.files import look_at, read_blocks
from stream_analyzer.system.address import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.kinds import Described
    from stream_analyzer.sound.files import Recording
    from stream_analyzer.types import AudioBlock


def analyze_file(
    name: str | Path,
    heads: Sequence[Head],
    *,
    channel: int | None = None,
    block_s: float = 0.5,
) -> Iterator[tuple[float, list[Described]]]:
    """Let ``heads`` hear a file, or a recording at a URL, afresh.

    Yields, block by block, the share that is done (0..1) and the events it led to.

    Raises
    ------
    BrokenOff
        The file is damaged; all that could be read has been analysed, to the last event.
    AudioError
        The file can't be read, or is too short for a first judgement.
    """
    found, blocks = _opened(name, block_s=block_s)
    if channel is not None and channel > found.channels:
        msg = f"{name}: has {found.channels} channels, not {channel}; choose one of them with --channel, or mix"
        raise AudioError(msg)
    analyzer = Analyzer(heads, channel=channel)
    heard_s, broken = 0.0, None
    try:
        for block in blocks:
            heard_s += block.duration_s
            yield min(1.0, heard_s / max(found.length_s, heard_s)), analyzer.feed(block)
    except BrokenOff as error:
        broken = error
    needed_s = max((head.first_s for head in heads), default=0.0) + 1.0 / STEPS_PER_SECOND
    if heard_s < needed_s:
        needed = f"a first judgement needs {needed_s:.1f} s"
        msg = str(broken or f"{name}: lasts {heard_s:.2f} s") + f"; {needed}, give a longer file"
        raise AudioError(msg)
    yield 1.0, analyzer.end()
    if broken:
        raise broken


def _opened(name: str | Path, *, block_s: float) -> tuple[Recording, Iterator[AudioBlock]]:
    if is_url(str(name)):
        from stream_analyzer.sound.network.source import open_recording  # noqa: PLC0415

        return open_recording(str(name), block_s=block_s)
    return look_at(Path(name)), read_blocks(Path(name), block_s=block_s)
