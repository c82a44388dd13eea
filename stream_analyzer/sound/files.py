"""Sound files and the bundled demo, through libsndfile."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING, Any, Literal

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.system.stderr import native_stderr_closed
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import F32

_BLOCK_S = 0.1
_RATES_HZ = (4_000, 768_000)
_SHORTEST_S = 0.1


class FileSource:
    """A sound file, at ``speed`` times real time or (0) as fast as possible; ``repeat`` plays it for ever."""

    live = False

    def __init__(self, path: Path, *, speed: float = 1.0, repeat: bool = False, kind: Literal["file", "demo"]) -> None:
        """Play ``path``; nothing is opened yet."""
        self._path, self._speed, self._repeat = path, speed, repeat
        self._kind: Literal["file", "demo"] = kind

    def open(self) -> SourceInfo:
        """Open the file once, to see that it holds sound."""
        with open_sound_file(self._path) as file:
            return SourceInfo(self._kind, self._path.name, file.samplerate, file.channels)

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


def open_sound_file(path: Path) -> Any:  # noqa: ANN401 - soundfile ships no types
    """Open a file with libsndfile; raise `AudioError` with the reason in one line if it holds no sound."""
    import soundfile  # noqa: PLC0415 - costs 60 ms that a live device need not pay

    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        hint = "pipe a stream in: ffmpeg -i URL -f s16le - | stream-analyzer run --input -"
        msg = f"{path}: {_reason(error)}; {hint if ':/' in str(path) else 'check the name'}"
        raise AudioError(msg) from error
    if not stat.S_ISREG(status.st_mode):
        what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no file (raw PCM can be piped in: --input -)"
        msg = f"{path}: {what}; name a sound file"
        raise AudioError(msg)
    if not status.st_size:
        msg = f"{path}: empty file; is it complete?"
        raise AudioError(msg)
    try:
        with native_stderr_closed():
            file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        msg = f"{path}: {_reason(error)}; is it a sound file? Convert it with: ffmpeg -i {path.name} sound.flac"
        raise AudioError(msg) from error
    problem = ""
    if not file.frames:
        problem = "holds no samples; is the file complete?"
    elif file.frames < _SHORTEST_S * file.samplerate:
        problem = f"lasts {file.frames / file.samplerate:.4f} s, too short to hear anything in; give a longer file"
    elif not _RATES_HZ[0] <= file.samplerate <= _RATES_HZ[1]:
        problem = f"sample rate {file.samplerate} Hz is outside {_RATES_HZ[0]}..{_RATES_HZ[1]} Hz; resample it"
    if problem:
        file.close()
        msg = f"{path}: {problem}"
        raise AudioError(msg)
    return file


def read_blocks(path: Path, *, block_s: float = _BLOCK_S) -> Iterator[AudioBlock]:
    """Yield the blocks of a sound file; raise `AudioError` where it is empty or breaks off."""
    import soundfile  # noqa: PLC0415

    with open_sound_file(path) as file:
        size = max(1, int(file.samplerate * block_s))
        while True:
            try:
                with native_stderr_closed():
                    samples: F32 = file.read(size, dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, OSError) as error:
                msg = f"{path}: broken after {file.tell() / file.samplerate:.1f} s: {_reason(error)}; convert it again"
                raise AudioError(msg) from error
            if not len(samples):
                return
            yield AudioBlock(samples, file.samplerate)


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    if text.startswith("File does not exist or is not a regular file"):  # libsndfile's word for .mp3 without MPEG audio
        return "no MPEG audio in it"
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
