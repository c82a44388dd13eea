"""Keep native libraries off standard error: they greet, and they report errors that we report better, in one line."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def native_stderr_closed() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere, by whatever thread; the program speaks by one of its own."""
    if sys.stderr is None:  # started without one: there is nothing to keep clean
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
