"""Sound as other programs write it: any container and codec that FFmpeg's libraries know, made in memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import av
import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32

NO_XING = {"write_xing": "0", "id3v2_version": "0"}


class _Pipe:
    """Somewhere to write that can't go back: headers can't be filled in afterwards. State: what was written."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def encoded(
    samples: F32,
    rate_hz: int,
    container: str,
    codec: str,
    *,
    kbits: int = 0,
    options: dict[str, str] | None = None,
    piped: bool = False,
) -> bytes:
    """Return ``samples`` [n, channels] in a container, as written to a file, or to a pipe."""
    target: Any = _Pipe() if piped else io.BytesIO()
    with av.open(target, mode="w", format=container, options=options or {}) as output:
        layout = {1: "mono", 2: "stereo"}[samples.shape[1]]
        stream: Any = output.add_stream(codec, rate=rate_hz, layout=layout)
        if kbits:
            stream.bit_rate = 1000 * kbits
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), format="flt", layout=layout)
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=rate_hz, frame_size=stream.frame_size or 1024
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return bytes(target.data) if piped else bytes(target.getvalue())
