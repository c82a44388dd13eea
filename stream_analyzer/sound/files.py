"""Sound files and the bundled demo: through libsndfile, and where it stumbles through FFmpeg if that is installed."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stream_analyzer.errors import AudioError, BrokenOff
from stream_analyzer.sound import media
from stream_analyzer.sound.libsndfile import Doubts, SndFile
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import F32

_BLOCK_S = 0.1
_PLAYLIST = b"#EXTM3U"
_SHORTEST_S = 0.1
_MISSING_S = 0.5  # encoders and decoders round to whole frames


class FileSource:
    """A sound file, at ``speed`` times real time or (0) as fast as possible; ``repeat`` plays it for ever."""

    live = False

    def __init__(self, path: Path, *, speed: float = 1.0, repeat: bool = False, kind: Literal["file", "demo"]) -> None:
        """Play ``path``; nothing is opened yet."""
        self._path, self._speed, self._repeat = path, speed, repeat
        self._kind: Literal["file", "demo"] = kind

    def open(self) -> SourceInfo:
        """Open the file once, to see that it holds sound."""
        found = look_at(self._path)
        name = os.fsencode(self._path.name).decode(errors="replace")  # names are bytes, and messages are UTF-8
        return SourceInfo(self._kind, name, found.rate_hz, found.channels)

    async def deliver(self, queue: BlockQueue) -> None:
        """Put the file's blocks at their time."""
        loop = asyncio.get_running_loop()
        start, played_s = loop.time(), 0.0
        while True:
            for block in read_blocks(self._path):
                played_s += block.duration_s
                if self._speed > 0.0:
                    await asyncio.sleep(start + played_s / self._speed - loop.time())
                await queue.put_when_room(block)
            if not self._repeat:
                return


@dataclass(frozen=True, slots=True)
class Recording:
    """What a file says of its sound. ``length_s`` is 0 where only its end tells; ``native`` ones libsndfile knows."""

    rate_hz: int
    channels: int
    length_s: float
    native: bool


def look_at(path: Path) -> Recording:
    """Open a file to see what it holds; raise `AudioError` with the reason in one line if that is no sound."""
    with _opened(path) as file:
        try:
            with SndFile(file) as found:
                recording = Recording(found.rate_hz, found.channels, found.length_s, native=True)
                empty = found.is_empty
        except AudioError as error:
            recording, empty = _look_again(path, file, str(error)), False
    if empty:
        problem = "holds no samples; is the file complete?"
    elif 0.0 < recording.length_s < _SHORTEST_S:
        problem = f"lasts {recording.length_s:.4f} s, too short to hear anything in; give a longer file"
    else:
        problem = media.odd_rate(recording.rate_hz)
    if problem:
        msg = f"{path}: {problem}"
        raise AudioError(msg)
    return recording


def read_blocks(path: Path, *, block_s: float = _BLOCK_S) -> Iterator[AudioBlock]:
    """Yield the blocks of a sound file; where libsndfile does not get to its end, FFmpeg goes on if it is installed.

    Raises
    ------
    BrokenOff
        Something is missing or damaged; what could be read has been given before.
    AudioError
        The file holds no sound.
    """
    recording, doubts = look_at(path), Doubts()
    size, given = max(1, int(recording.rate_hz * block_s)), 0
    if recording.native:
        with _opened(path) as file, SndFile(file) as found:
            for samples in found.blocks(size, doubts):
                given += len(samples)
                yield AudioBlock(samples, recording.rate_hz)
        if not doubts.reason:
            return
    first = given
    if media.is_installed():
        for samples in _by_ffmpeg(path, recording, doubts, block=size, skip=first):
            given += len(samples)
            yield AudioBlock(samples, recording.rate_hz)
    heard_s, length_s = given / recording.rate_hz, recording.length_s if recording.native else 0.0
    gone_on = given > first or (doubts.harmless and media.is_installed())
    if not gone_on or heard_s < length_s - _MISSING_S:
        told = f"{heard_s:.1f} s" + (f" of {length_s:.1f} s" if length_s > heard_s + _MISSING_S else "")
        advice = "get the file anew" if media.is_installed() else media.MISSING
        msg = f"{path}: breaks off: {told} could be read ({doubts.reason}); {advice}"
        raise BrokenOff(msg)


def _by_ffmpeg(path: Path, recording: Recording, doubts: Doubts, *, block: int, skip: int) -> Iterator[F32]:
    """Yield what FFmpeg finds after the first ``skip`` samples; note what stops it."""
    try:
        with _opened(path) as file:
            found, rate_hz = _for_ffmpeg(path, file), recording.rate_hz
            for samples in media.decode(found, rate_hz=rate_hz, channels=recording.channels, block=block):
                if len(samples) > skip:
                    yield samples[skip:]
                skip = max(0, skip - len(samples))
    except AudioError as error:
        doubts.reason = doubts.reason or str(error)


def _look_again(path: Path, file: BinaryIO, reason: str) -> Recording:
    """Look at what libsndfile does not know."""
    file.seek(0)
    try:
        if media.is_installed():
            return Recording(*media.probe(_for_ffmpeg(path, file)), native=False)
        hint = media.MISSING
    except AudioError as error:
        hint = f"convert it with: ffmpeg -i {path.name} sound.flac"
        reason = f"{reason} ({error})"
    msg = f"{path}: {reason}; is it a sound file? {hint[0].upper()}{hint[1:]}"
    raise AudioError(msg)


def _for_ffmpeg(path: Path, file: BinaryIO) -> Path | BinaryIO:
    """Return the file, or of a playlist of pieces (HLS) its path: what it names lies beside it."""
    playlist = file.read(len(_PLAYLIST)) == _PLAYLIST
    file.seek(0)
    return path if playlist else file


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, if it is one."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no file (raw PCM can be piped in: --input -)"
            msg = f"{path}: {what}; name a sound file"
            raise AudioError(msg)
        file = path.open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{path}: {reason}; check the name"
        raise AudioError(msg) from error
    with file:
        if not status.st_size:
            msg = f"{path}: empty file; is it complete?"
            raise AudioError(msg)
        yield file
