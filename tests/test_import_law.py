"""Who may import whom: pure <- model, analyzer <- I/O <- pipeline <- command line; training never from serving."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "stream_analyzer"
OURS = {path.stem: path for path in PACKAGE.glob("*.py")}
PURE = {
    "errors", "types", "features", "manifest", "resample", "steps", "level", "rolling", "smoothing", "genre", "tempo",
    "messages", "wire", "subscription", "summary", "history", "backoff", "home_assistant", "access",
    "onsets", "tempo_bins", "tempo_change",
}  # fmt: skip
CORE = PURE | {"native", "model", "analyzer"}
IO = {
    "block_queue", "hub", "fanout", "threads", "sources", "capture", "web_server", "offline", "resources", "config",
    "values", "endpoint", "following", "client", "live_line", "mqtt", "osc", "monitor",
    "guard", "login", "assembly",
}  # fmt: skip
TOP = {"pipeline", "cli", "__main__", "__init__"}
FORBIDDEN_IN_CORE = {"asyncio", "threading", "socket", "time", "sounddevice", "soundfile", "websockets", "aiomqtt"}
USERS = {
    "sounddevice": {"capture"},
    "ai_edge_litert": {"model"},
    "aiomqtt": {"mqtt"},
    "pythonosc": {"osc"},
    "prometheus_client": {"monitor"},
    "websockets": {"web_server", "guard", "fanout", "client", "endpoint"},
}
NEVER = {"tensorflow", "tf_keras", "keras", "librosa", "scipy", "training"}


def imports(path: Path) -> set[str]:
    """Return the modules that really are imported: what is imported for types alone does not count."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and getattr(branch.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "stream_analyzer":
            found |= {f"stream_analyzer.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def own(path: Path) -> set[str]:
    parts = (name.split(".") for name in imports(path))
    return {name[1] for name in parts if name[0] == "stream_analyzer" and len(name) > 1} & set(OURS)


def foreign(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def test_every_file_has_its_place() -> None:
    assert set(OURS) == CORE | IO | TOP


@pytest.mark.parametrize("name", sorted(CORE))
def test_the_core_knows_no_io(name: str) -> None:
    assert not foreign(OURS[name]) & FORBIDDEN_IN_CORE
    assert own(OURS[name]) <= CORE


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_files_know_pure_files_only(name: str) -> None:
    assert own(OURS[name]) <= PURE


@pytest.mark.parametrize("name", sorted(IO))
def test_io_does_not_know_the_pipeline(name: str) -> None:
    assert not own(OURS[name]) & TOP


@pytest.mark.parametrize("name", sorted(OURS))
def test_libraries_have_few_users(name: str) -> None:
    used = foreign(OURS[name])
    assert not used & NEVER
    assert all(name in USERS[library] for library in used & set(USERS))


def test_serving_loads_neither_tensorflow_nor_librosa() -> None:
    modules = ", ".join(f"stream_analyzer.{name}" for name in sorted(OURS) if not name.startswith("__"))
    check = f"import sys, {modules}; print(*sorted({{m.split('.')[0] for m in sys.modules}} & {NEVER!r}))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == ""
