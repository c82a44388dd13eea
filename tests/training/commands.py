"""Run the training commands as a person types them, but in this process: importing TensorFlow again costs seconds."""

from __future__ import annotations

from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from typing import TYPE_CHECKING
from warnings import catch_warnings, simplefilter

if TYPE_CHECKING:
    from pathlib import Path


def command(module: str, *arguments: str | Path) -> str:
    """Return what ``python -m MODULE ARGUMENTS`` writes to standard output; it must not fail."""
    written = StringIO()
    with redirect_stdout(written), catch_warnings():
        simplefilter("ignore")  # what TensorFlow warns of is not ours
        code = import_module(module).main([str(argument) for argument in arguments])
    assert not code, f"{module} ended with {code}"
    return written.getvalue()
