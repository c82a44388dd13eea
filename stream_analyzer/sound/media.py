"""Whatever FFmpeg's libraries decode, by PyAV (the extra `media`): what libsndfile can't read, and pipes.

The only user of PyAV.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stream_analyzer.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import AudioFrame, AudioResampler, AudioStream
    from av.container import InputContainer

    from stream_analyzer.types import F32

MISSING = "FFmpeg's decoders are not installed; pip install 'stream-analyzer[media]' adds them"
_LAYOUTS = {1: "mono", 2: "stereo"}
_BUFFER_BYTES = 32_768
_LIVE_BUFFER_BYTES = 4096  # of a pipe, which may be slow: what is asked for is waited for
_LIVE_PROBE = {"probesize": "65536", "analyzeduration": "500000"}  # bytes and microseconds: nobody waits long


class Readable(Protocol):
    """Bytes that come one after another."""

    def read(self, size: int, /) -> bytes:
        """Read ``size`` bytes, less at the end."""


def is_installed() -> bool:
    """Tell whether there is anything here to decode with."""
    return find_spec("av") is not None


def probe(file: Readable) -> tuple[int, int, float]:
    """Return rate in Hz, channels, and seconds (0 if unknown) of the first sound in ``file``; raise `AudioError`."""
    import av  # noqa: PLC0415 - an extra, and 60 ms

    with _failing_in_one_line(), av.open(file, mode="r") as container:
        stream = _sound(container)
        duration_s = float(container.duration or 0) / av.time_base
        return int(stream.rate), int(stream.channels), duration_s


def decode(file: Readable, *, rate_hz: int, channels: int, block: int, live: bool = False) -> Iterator[F32]:
    """Yield the sound in ``file`` in blocks of ``block`` samples, float32 [n, channels]; raise `AudioError` if none.

    Packets that are damaged are left out. ``live`` streams are not searched long for what is in them.
    """
    import av  # noqa: PLC0415

    buffer_bytes, options = (_LIVE_BUFFER_BYTES, _LIVE_PROBE) if live else (_BUFFER_BYTES, {})
    with _failing_in_one_line(), av.open(file, mode="r", buffer_size=buffer_bytes, options=options) as container:
        resampler, form = None, None
        for frame in _frames(container):
            if form != (form := (frame.format.name, frame.layout.name, frame.sample_rate)) or resampler is None:
                # What follows may have another form: streams are joined, stations change to another programme.
                yield from _samples(resampler, None, channels)
                layout = _layout(frame, channels)
                resampler = av.AudioResampler(format="flt", layout=layout, rate=rate_hz, frame_size=block)
            yield from _samples(resampler, frame, channels)
        yield from _samples(resampler, None, channels)


def _samples(resampler: AudioResampler | None, frame: AudioFrame | None, channels: int) -> Iterator[F32]:
    """Yield what a frame, or None for the end, makes of what waits in a resampler."""
    for part in resampler.resample(frame) if resampler else ():
        yield np.asarray(part.to_ndarray(), np.float32).reshape(-1, channels)


def _sound(container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        msg = "holds no sound"
        raise AudioError(msg)
    stream = container.streams.audio[0]
    if not stream.codec_context:
        msg = "holds sound of a kind that FFmpeg can't decode"
        raise AudioError(msg)
    return stream


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    import av  # noqa: PLC0415

    for packet in container.demux(_sound(container)):
        with suppress(av.InvalidDataError):  # the next packet may be whole again
            yield from packet.decode()


def _layout(frame: AudioFrame, channels: int) -> str:
    own = frame.layout
    if own.nb_channels == channels:
        return own.name
    if channels not in _LAYOUTS:
        msg = f"holds {own.nb_channels} channels, not {channels}; set --channels {own.nb_channels}, 2 or 1"
        raise AudioError(msg)
    return _LAYOUTS[channels]


@contextmanager
def _failing_in_one_line() -> Iterator[None]:
    import av  # noqa: PLC0415

    try:
        yield
    except av.FFmpegError as error:
        raise AudioError((error.strerror or str(error)).rstrip(".")) from error
