"""Run a command in this process and hold what it says against the house rule: one line, the right exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stream_analyzer.cli import main
from stream_analyzer.system.resources import resource_folder

if TYPE_CHECKING:
    import pytest

MODELS = Path(os.environ.get("STREAM_ANALYZER_MODELS", resource_folder("models")))


class Command:
    """Runs commands in this process and hears what native libraries say too."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Listen through ``capfd``."""
        self._capfd = capfd

    def __call__(self, *arguments: str) -> tuple[int, list[str], str]:
        """Return the exit code, the lines of standard error and the text of standard output."""
        self._capfd.readouterr()
        code = main(arguments)
        out, err = self._capfd.readouterr()
        return code, err.splitlines(), out

    def fails(self, *arguments: str, code: int, says: tuple[str, ...]) -> None:
        """Check that it fails with this exit code and one line that holds these words."""
        found, err, _ = self(*arguments)
        assert (found, len(err)) == (code, 1), err
        assert err[0].startswith("stream-analyzer: ")
        for word in says:
            assert word in err[0]


def plain_command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a `Command` that no setting of the environment disturbs, but for the folder of the models."""
    for name in [name for name in os.environ if name.startswith("STREAM_ANALYZER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STREAM_ANALYZER_MODELS", str(MODELS))
    return Command(capfd)


def run_flags(*flags: str) -> tuple[str, ...]:
    return ("run", "--port", "0", "--speed", "0", *flags)
