"""The name of an analyzer outlives the name of its host: a container has another each time."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.settings.config import Settings
from stream_analyzer.settings.node import node

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep what is kept here."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "stream-analyzer" / "node"


def test_it_is_kept_from_one_host_to_the_next(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "3f2a.first")
    assert node(Settings()) == "3f2a-first"
    monkeypatch.setattr(socket, "gethostname", lambda: "9c1b.second")
    assert node(Settings()) == "3f2a-first"
    assert node(Settings(node="hall")) == "hall"
    state.unlink()
    assert node(Settings()) == "9c1b-second"


@pytest.mark.parametrize("kept", ["", "a/b", "\xff"])
def test_a_name_that_is_none_is_not_used(monkeypatch: pytest.MonkeyPatch, state: Path, kept: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "host")
    state.parent.mkdir(parents=True)
    state.write_bytes(kept.encode("latin-1"))
    assert node(Settings()) == "host"


def test_where_nothing_can_be_kept_it_is_the_host_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "host")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert node(Settings()) == "host"
