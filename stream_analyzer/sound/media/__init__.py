"""What FFmpeg decodes: by PyAV (the extra `media`), or else by an `ffmpeg` on the path. For what libsndfile can't read.

What is decoded can lead nowhere else: files and pipes may refer to no other file and no address, a playlist on the disk
to files alone, and a stream from the network to the network alone.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stream_analyzer.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.types import F32

MISSING = "FFmpeg's decoders are not installed; pip install 'stream-analyzer[media]' adds them, or install ffmpeg"
READ_LIMIT_S = 10.0  # for an answer from the network
RATES_HZ = (4_000, 768_000)
_NETWORK = "http,https,httpproxy,tcp,tls,crypto,rtsp,rtsps,rtp,srtp,udp"


class Readable(Protocol):
    """Bytes that come one after another."""

    def read(self, size: int, /) -> bytes:
        """Read ``size`` bytes, less at the end."""


Input = Readable | Path | str  # bytes; a playlist on the disk, with the files that it names; or an address


class Media(Protocol):
    """Something opened: rate in Hz, channels and seconds (0 if unknown) of the first sound in it."""

    rate_hz: int
    channels: int
    length_s: float

    def blocks(self, *, rate_hz: int, channels: int, block: int) -> Iterator[F32]:
        """Yield the sound in blocks of ``block`` samples, float32 [n, channels]; raise `AudioError` if it breaks."""

    def close(self) -> None:
        """Let go of it; nobody may be reading from it."""

    def stop(self) -> None:
        """Let who reads from it in another thread come to an end soon."""


def is_installed() -> bool:
    """Tell whether there is anything here to decode with."""
    return find_spec("av") is not None or shutil.which("ffmpeg") is not None


def open_media(what: Input, *, live: bool = False) -> Media:
    """Open what `is_installed` can decode; raise `AudioError` if there is no sound in it, or none at a rate in use.

    ``live`` streams are not searched long for what is in them.
    """
    opened: Media
    if find_spec("av") is None:
        from stream_analyzer.sound.media.command import CommandMedia  # noqa: PLC0415

        opened = CommandMedia(what, live=live, protocols=protocols(what))
    else:
        from stream_analyzer.sound.media.pyav import PyAvMedia  # noqa: PLC0415 - an extra, and 60 ms

        opened = PyAvMedia(what, live=live, protocols=protocols(what))
    if problem := odd_rate(opened.rate_hz):
        opened.close()
        raise AudioError(problem)
    return opened


def odd_rate(rate_hz: int) -> str:
    """Return what is wrong with a sample rate, or nothing: a header of a few bytes can claim any.

    At 800 MHz it would take FFmpeg 14 s and 1.7 GB to make the filter that brings it down to ours.
    """
    if RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        return ""
    return f"sample rate {rate_hz} Hz is outside {RATES_HZ[0]}..{RATES_HZ[1]} Hz; resample it"


def protocols(what: Input) -> str:
    """Return where FFmpeg may go on from here."""
    if isinstance(what, str):
        return _NETWORK
    return "file,crypto" if isinstance(what, Path) else "none"


def probe(what: Input) -> tuple[int, int, float]:
    """Return rate in Hz, channels, and seconds (0 if unknown) of the first sound; raise `AudioError`."""
    with closing(open_media(what)) as media:
        return media.rate_hz, media.channels, media.length_s


def decode(what: Input, *, rate_hz: int, channels: int, block: int, live: bool = False) -> Iterator[F32]:
    """Yield the sound in blocks of ``block`` samples, float32 [n, channels]; raise `AudioError` if there is none.

    Packets that are damaged are left out.
    """
    with closing(open_media(what, live=live)) as media:
        yield from media.blocks(rate_hz=rate_hz, channels=channels, block=block)
