"""Standard streams that are always there and never fail on a character; once, at the start of the process."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress
from pathlib import Path

_ESCAPE = "stream_analyzer.escape"
_NATIVE = 2


def prepare_streams() -> None:
    """Stand in for closed streams, and let what a stream can't encode be escaped instead of raising.

    There may be none under pythonw.exe, schedulers and init scripts. Without a stand-in `print` would send what is
    meant for standard error to standard output, and the next file or socket that is opened would become descriptor 2,
    where native libraries write. ``sys.stdin`` stays None: whoever wants to read can say so.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free, which is this one
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the whole process
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    codecs.register_error(_ESCAPE, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPE)
    _part_from_native()


def _part_from_native() -> None:
    """Let what we say on standard error go by a descriptor of its own: `native_stderr_closed` silences the other."""
    with suppress(OSError):  # a stand-in of a test has none
        if sys.stderr.fileno() == _NATIVE:
            own, encoding = os.dup(_NATIVE), sys.stderr.encoding
            sys.stderr = open(own, "w", 1, encoding=encoding, errors=_ESCAPE, closefd=False)  # noqa: SIM115


def write_json_alone() -> None:
    """Let standard output carry JSON that any reader understands: as UTF-8, or else as ASCII."""
    if isinstance(sys.stdout, io.TextIOWrapper) and codecs.lookup(sys.stdout.encoding).name != "utf-8":
        sys.stdout.reconfigure(encoding="ascii", errors=_ESCAPE)


def _escape(error: UnicodeError) -> tuple[str, int]:
    r"""Write what can't be encoded as ``\uXXXX``: a person can read it, and in JSON it means the same."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)), error.end
