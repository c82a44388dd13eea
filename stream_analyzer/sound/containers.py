"""What the first bytes of a stream say of it: which container it is, and where the header of a WAV file is wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

HEAD_BYTES = 65_536
_STARTS = {
    b"RIFF": "WAV", b"RIFX": "WAV", b"RF64": "WAV", b"riff": "Wave64", b"FORM": "AIFF", b".snd": "AU", b"caff": "CAF",
    b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"wvPK": "WavPack", b"MAC ": "Monkey's Audio",
    b"\x1a\x45\xdf\xa3": "Matroska", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "ASF", b"FLV\x01": "FLV",
}  # fmt: skip
_CHAIN = 3  # frames one after another, for bytes that look like a header are in any sound
_SEARCHED_BYTES = 4096
_KBITS = {  # of MPEG-1 layer III, and of what has half its rates or a quarter, by the index in the header
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = (44_100, 48_000, 32_000)
_UNKNOWN_BYTES = 0x7FFF_0000  # recorders and pipes write such sizes for want of a better one
_WAV_HEADER_BYTES = 12


def container_of(head: bytes) -> str:
    """Return the name of the container that a stream begins with, or nothing: then it may be raw PCM."""
    named = next((name for start, name in _STARTS.items() if head.startswith(start)), "")
    if named or head[4:8] == b"ftyp":
        return named or "MP4"
    # Web radio is handed on from anywhere within a frame.
    starts = [at for at in range(min(len(head), _SEARCHED_BYTES)) if head[at] == 0xFF]  # noqa: PLR2004
    if any(_chain(head, at, _mp3_bytes) for at in starts):
        return "MP3"
    return "AAC" if any(_chain(head, at, _adts_bytes) for at in starts) else ""


def _chain(head: bytes, at: int, measure: Callable[[bytes], int]) -> bool:
    """Tell whether frames of one kind, of the size that each begins with, follow one another from here."""
    kinds = set()
    for _ in range(_CHAIN):
        header = head[at : at + 6].ljust(6, b"\0")
        kinds.add((header[1], header[2] & 0x0C))
        if not (size := measure(header)) or len(kinds) > 1:
            return False
        at += size
    return True


def _mp3_bytes(header: bytes) -> int:
    """Return how long the frame of MPEG layer III is that begins so, or 0 if none does (ISO 11172-3, 2.4.1.3)."""
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bits, rate, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if header[0] != 0xFF or header[1] < 0xE0 or version == 1 or layer != 1 or bits in (0, 15) or rate == 3:  # noqa: PLR2004
        return 0
    first = version == 3  # noqa: PLR2004 - MPEG-1
    hz = _RATES_HZ[rate] // (1 if first else 2 if version == 2 else 4)  # noqa: PLR2004
    return (144_000 if first else 72_000) * _KBITS[first][bits] // hz + padding


def _adts_bytes(header: bytes) -> int:
    """Return how long the frame of AAC is that begins so, or 0 if none does (ISO 13818-7, 6.2)."""
    if header[0] != 0xFF or header[1] & 0xF6 != 0xF0:  # noqa: PLR2004
        return 0
    return (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5


@dataclass(frozen=True, slots=True)
class WavData:
    """Where the samples of a WAV file are, in bytes; ``said`` is 0 where its header does not know how many."""

    size_at: int
    start: int
    end: int
    said: int
    bytes_per_s: int

    @property
    def lacks(self) -> bool:
        """Whether the file is shorter than its header says."""
        return self.said > self.end - self.start


def wav_data(file: BinaryIO) -> WavData | None:
    """Find the samples of a WAV file; None if it is none, or one whose header is out of the ordinary.

    A recorder that died never came back to fill in the size, or did so some time ago. The size is believed if the file
    ends there, or another chunk follows.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    at, bytes_per_s = _WAV_HEADER_BYTES, 0
    if (start := file.read(at))[:4] != b"RIFF" or start[8:] != b"WAVE":
        return None
    while len(chunk := _read_at(file, at, 20)) >= 8:  # noqa: PLR2004 - its name and size
        size = int.from_bytes(chunk[4:8], "little")
        if chunk.startswith(b"data"):
            unknown = size >= _UNKNOWN_BYTES or not _ends_well(file, at + 8 + size, length)
            said = 0 if unknown else size
            end = length if unknown else min(length, at + 8 + size)
            return WavData(at + 4, at + 8, end, said=said, bytes_per_s=bytes_per_s) if bytes_per_s else None
        if chunk.startswith(b"fmt "):
            bytes_per_s = int.from_bytes(chunk[16:20], "little")
        at += 8 + size + size % 2
    return None


def _ends_well(file: BinaryIO, at: int, length: int) -> bool:
    if at + 1 >= length:
        return True
    name = _read_at(file, at + at % 2, 4)
    return len(name) == 4 and name.isascii() and name.decode().isprintable()  # noqa: PLR2004


def _read_at(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
