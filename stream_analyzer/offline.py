"""Whole files through the same analyzer as live sound, as fast as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.errors import AudioError
from stream_analyzer.sound.files import open_sound_file, read_blocks

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
    AudioError
        The file can't be read, breaks off, or is too short for a first judgement.
    """
    with open_sound_file(path) as file:
        rate_hz, channels, total = file.samplerate, file.channels, file.frames
    if channel is not None and channel > channels:
        msg = f"{path}: has {channels} channels, not {channel}; choose one of them with --channel, or mix"
        raise AudioError(msg)
    _check_length(path, total / rate_hz, models)
    analyzer = Analyzer(models, channel=channel, tempo_range=tempo_range)
    done = 0
    for block in read_blocks(path, block_s=block_s):
        done += len(block.samples)
        yield min(1.0, done / total), analyzer.feed(block)
    _check_length(path, done / rate_hz, models)  # a damaged file may hold less than it says
    yield 1.0, analyzer.end()


def _check_length(path: Path, duration_s: float, models: Models) -> None:
    if duration_s < models.first_judgement_s:
        msg = (
            f"{path}: lasts {duration_s:.2f} s; a first judgement needs {models.first_judgement_s:.1f} s, "
            "give a longer file"
        )
        raise AudioError(msg)
