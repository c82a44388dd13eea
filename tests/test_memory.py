"""Freed memory goes back to the system although what lies behind it is in use."""

from __future__ import annotations

import ctypes
import platform

import psutil
import pytest

from stream_analyzer.system.memory import give_back

PIECE_BYTES, PIECES = 100_000, 640  # below what glibc maps by itself


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library has no malloc_trim")
def test_freed_memory_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = (
        ctypes.c_void_p,
        [ctypes.c_size_t],
        [ctypes.c_void_p],
    )
    pieces = [libc.malloc(PIECE_BYTES) for _ in range(PIECES)]
    for piece in pieces:
        ctypes.memset(piece, 1, PIECE_BYTES)
    for piece in pieces[:-1]:
        libc.free(piece)
    kept = psutil.Process().memory_info().rss
    give_back()
    assert kept - psutil.Process().memory_info().rss > PIECE_BYTES * PIECES // 2
    libc.free(pieces[-1])
