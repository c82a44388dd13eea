"""Give memory back that was let go: glibc keeps what lies between pieces that are still in use."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Let the system have the pages of freed memory; where the C library can't, nothing happens.

    After models were read again, a third of the service's memory would stay with it unused (`malloc_trim` of glibc).
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library; Windows has no name for its own
        ctypes.CDLL(None).malloc_trim(0)
