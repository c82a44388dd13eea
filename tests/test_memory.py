"""Freed memory goes back to the system although what lies behind it is in use, and large pieces at once."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import psutil
import pytest

from stream_analyzer.system.memory import give_back

PIECE_BYTES, PIECES = 100_000, 640  # below what glibc maps by itself
LARGE_BYTES = 16 << 20


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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library has no mallopt")
def test_large_pieces_are_gone_once_freed() -> None:
    """One that was freed teaches glibc to take the next from its heap, where a small piece behind it keeps it."""
    code = f"""
import ctypes
import psutil
from stream_analyzer.system.memory import map_large_pieces
map_large_pieces()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.free(libc.malloc({LARGE_BYTES}))
piece = libc.malloc({LARGE_BYTES})
ctypes.memset(piece, 1, {LARGE_BYTES})
behind = [libc.malloc(1000) for _ in range(1000)]
before = psutil.Process().memory_info().rss
libc.free(piece)
print(before - psutil.Process().memory_info().rss)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > LARGE_BYTES // 2
