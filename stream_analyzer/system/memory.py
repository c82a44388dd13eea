"""Keep memory from growing over a night: glibc holds on to what lies between pieces that are still in use.

Other models, read while the old ones are still there, would leave a third of the service's memory with it unused.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

_LARGE_BYTES = 1 << 20  # a model's arena is larger, what a step computes with is smaller
_M_MMAP_THRESHOLD = -3  # malloc.h of glibc; what is set no longer grows with what is freed


def map_large_pieces() -> None:
    """Let large pieces of memory be mapped each by itself, so that they are gone once freed; glibc alone."""
    _ask("mallopt", _M_MMAP_THRESHOLD, _LARGE_BYTES)


def give_back() -> None:
    """Let the system have the pages of freed memory, wherever they lie; glibc alone."""
    _ask("malloc_trim", 0)


def _ask(function: str, *values: int) -> None:
    with suppress(AttributeError, OSError, TypeError):  # another C library; Windows has no name for its own
        getattr(ctypes.CDLL(None), function)(*values)
