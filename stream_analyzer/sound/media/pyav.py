"""FFmpeg's libraries in this process, by PyAV. The only user of PyAV."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.media import READ_LIMIT_S, odd_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import AudioFrame, AudioResampler

    from stream_analyzer.sound.media import Input
    from stream_analyzer.types import F32

_LAYOUTS = {1: "mono", 2: "stereo"}
_BUFFER_BYTES = 32_768
_LIVE_BUFFER_BYTES = 4096  # of a pipe, which may be slow: what is asked for is waited for
_LIVE_PROBE = {"probesize": "65536", "analyzeduration": "500000"}  # bytes and microseconds: nobody waits long


class PyAvMedia:
    """What is in a container. State: the container, and how far it was read."""

    def __init__(self, what: Input, *, live: bool, protocols: str) -> None:
        """Open it; it can lead on by ``protocols`` alone. Raises `AudioError`."""
        options = {"protocol_whitelist": protocols}
        more: dict[str, Any] = {"buffer_size": _BUFFER_BYTES}
        if isinstance(what, str):  # FFmpeg itself searches no longer in what comes slowly
            more["timeout"] = READ_LIMIT_S
            options |= {"rtsp_transport": "tcp"} if what.startswith("rtsp") else {}
        elif live:
            options |= _LIVE_PROBE
            more["buffer_size"] = _LIVE_BUFFER_BYTES
        with _failing_in_one_line():
            self._container = av.open(str(what) if isinstance(what, Path) else what, mode="r", options=options, **more)
        sounds = self._container.streams.audio
        if not sounds or not sounds[0].codec_context:
            self._container.close()
            raise AudioError("holds sound of a kind that FFmpeg can't decode" if sounds else "holds no sound")
        self._stream = sounds[0]
        self.rate_hz, self.channels = int(self._stream.rate), int(self._stream.channels)
        self.length_s = float(self._container.duration or 0) / av.time_base

    def close(self) -> None:
        """Let go of it."""
        self._container.close()

    def stop(self) -> None:
        """Do nothing: a read has its limit, and FFmpeg must not be disturbed meanwhile."""

    def blocks(self, *, rate_hz: int, channels: int, block: int) -> Iterator[F32]:
        """Yield the sound in blocks of ``block`` samples, float32 [n, channels]; raise `AudioError` if it breaks."""
        resampler, form = None, None
        with _failing_in_one_line():
            for frame in self._frames():
                if form != (form := (frame.format.name, frame.layout.name, frame.sample_rate)) or resampler is None:
                    # What follows may have another form: streams are joined, stations change to another programme.
                    yield from _samples(resampler, None, channels)
                    if problem := odd_rate(frame.sample_rate):
                        raise AudioError(problem)
                    layout = _layout(frame, channels)
                    resampler = av.AudioResampler(format="flt", layout=layout, rate=rate_hz, frame_size=block)
                yield from _samples(resampler, frame, channels)
            yield from _samples(resampler, None, channels)

    def _frames(self) -> Iterator[AudioFrame]:
        for packet in self._container.demux(self._stream):
            with suppress(av.InvalidDataError):  # the next packet may be whole again
                yield from packet.decode()


def _samples(resampler: AudioResampler | None, frame: AudioFrame | None, channels: int) -> Iterator[F32]:
    """Yield what a frame, or None for the end, makes of what waits in a resampler."""
    for part in resampler.resample(frame) if resampler else ():
        yield np.asarray(part.to_ndarray(), np.float32).reshape(-1, channels)


def _layout(frame: AudioFrame, channels: int) -> str:
    own = frame.layout
    if own.nb_channels == channels:
        return str(own.name)
    if channels not in _LAYOUTS:
        msg = f"holds {own.nb_channels} channels, not {channels}; set --channels {own.nb_channels}, 2 or 1"
        raise AudioError(msg)
    return _LAYOUTS[channels]


@contextmanager
def _failing_in_one_line() -> Iterator[None]:
    try:
        yield
    except av.FFmpegError as error:
        raise AudioError((error.strerror or str(error)).rstrip(".")) from error
