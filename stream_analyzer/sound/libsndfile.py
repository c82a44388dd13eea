"""Sound files through libsndfile, kept from believing headers that are wrong, and seen through to their last byte."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.containers import HEAD_BYTES, wav_data
from stream_analyzer.system.stderr import native_stderr_closed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.types import F32

_ENDLESS = (1 << 63) - 1
_UNKNOWN_SAMPLES = 1 << 60
_TAG_BYTES = 8192  # so much at the end of a file may be its tags
_MISSING_S = 0.5  # encoders round up to whole frames


class _Bytes:
    """The bytes of a file as libsndfile asks for them.

    State: its place in the file, what stands for the file's first bytes, and whether its length is being asked.
    """

    def __init__(self, file: BinaryIO, *, head: bytes, endless: bool) -> None:
        self._file, self._head, self._endless = file, head, endless
        self._asked = False
        self.size = os.fstat(file.fileno()).st_size

    def read(self, size: int) -> bytes:
        at = self._file.tell()
        data = self._head[at : at + size]
        self._file.seek(at + len(data))
        return data + self._file.read(size - len(data))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self.size}[whence]
        self._asked = self._endless and whence == os.SEEK_END and not offset
        if 0 <= base + offset < _ENDLESS >> 1:  # a header may name any; it is as if the system refused
            self._file.seek(base + offset)

    def tell(self) -> int:
        return _ENDLESS if self._asked else self._file.tell()


@dataclass(slots=True)
class Doubts:
    """Why what was read of a file may not be all there is; ``harmless`` while it may well be all."""

    reason: str = ""
    harmless: bool = False


class SndFile:
    """A sound file that libsndfile knows.

    ``length_s`` is how long it is, or 0 if that is known at its end alone.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Open what is in ``file``; raise `AudioError` with the reason if libsndfile can't."""
        import soundfile  # noqa: PLC0415 - costs 60 ms that a live device need not pay

        self._errors = (soundfile.SoundFileError, OSError)
        wav = wav_data(file)
        file.seek(0)
        head = file.read(HEAD_BYTES)
        if wav and not wav.said and wav.start <= len(head):
            size = min(wav.end - wav.start, 0xFFFF_FFFF).to_bytes(4, "little")
            head = head[: wav.size_at] + size + head[wav.size_at + 4 :]
        file.seek(0)
        try:
            with native_stderr_closed():
                found = soundfile.SoundFile(_Bytes(file, head=head, endless=False))
                if found.format == "MP3":
                    # Where no header tells the length, libsndfile guesses it from the first frames and ends there.
                    found.close()
                    file.seek(0)
                    found = soundfile.SoundFile(_Bytes(file, head=head, endless=True))
        except (*self._errors, TypeError) as error:
            raise AudioError(_reason(error)) from error
        # Otherwise soundfile seeks after each block, and the last block of a FLAC of unknown length is lost by that.
        found._info.seekable = 0  # noqa: SLF001 - it has no setting
        self._open: Any = found
        self.rate_hz, self.channels = int(found.samplerate), int(found.channels)
        self.length_s = found.frames / self.rate_hz if found.frames < _UNKNOWN_SAMPLES else 0.0
        if wav and wav.lacks:
            self.length_s = wav.said / wav.bytes_per_s
        self._file, self._end = file, wav.end if wav else os.fstat(file.fileno()).st_size
        self.is_empty = not found.frames

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._open.close()

    def blocks(self, size: int, doubts: Doubts) -> Iterator[F32]:
        """Yield blocks of ``size`` samples, float32 [n, channels]; note in ``doubts`` if there may be more."""
        read = 0
        while True:
            try:
                with native_stderr_closed():
                    samples: F32 = self._open.read(size, dtype="float32", always_2d=True)
            except self._errors as error:
                doubts.reason = _reason(error)
                return
            if not len(samples):
                break
            read += len(samples)
            yield samples
        left = self._end - self._file.tell()
        if read / self.rate_hz < self.length_s - _MISSING_S:
            doubts.reason = "it ends early"
        elif left > _TAG_BYTES:
            doubts.reason = f"the last {left / self._end:.0%} of the file is not what libsndfile expects"
            doubts.harmless = True


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    if text.startswith("File does not exist or is not a regular file"):  # libsndfile's word for .mp3 without MPEG audio
        return "no MPEG audio in it"
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__
