"""Spectrum columns as binary messages: oldest column first, low band first, behind a header of 24 bytes. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.protocol.kinds import NTH_MODULUS, PROTOCOL_VERSION, SPECTRUM_HEADER, SPECTRUM_KIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import Spectrum

_SAME_MOMENT_S = 0.1  # frames and the steps they come in don't end together; more than this apart is a gap


def pack_spectrum(spectrum: Spectrum, *, seq: int, nth: int) -> bytes:
    """Return the columns as the binary message ``seq`` of the session and ``nth`` of its kind."""
    columns, bands = spectrum.levels.shape
    head = (PROTOCOL_VERSION, SPECTRUM_KIND, bands, columns, nth % NTH_MODULUS, seq, spectrum.time_s)
    return SPECTRUM_HEADER.pack(*head) + spectrum.levels.tobytes()


def merge_columns(frames: Sequence[bytes]) -> list[bytes]:
    """Return binary messages whose columns follow each other as one, numbered and dated like its last."""
    merged: list[list[bytes]] = []
    end_s = math.nan
    for frame in frames:
        *_, columns, _, _, time_s = SPECTRUM_HEADER.unpack_from(frame)
        if abs(time_s - columns / SPEC.frames_per_second - end_s) < _SAME_MOMENT_S:
            merged[-1].append(frame)
        else:
            merged.append([frame])
        end_s = time_s
    return [_join(parts) if len(parts) > 1 else parts[0] for parts in merged]


def _join(parts: list[bytes]) -> bytes:
    levels = b"".join(part[SPECTRUM_HEADER.size :] for part in parts)
    version, kind, bands, _, nth, seq, time_s = SPECTRUM_HEADER.unpack_from(parts[-1])
    return SPECTRUM_HEADER.pack(version, kind, bands, len(levels) // bands, nth, seq, time_s) + levels
