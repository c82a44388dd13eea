"""Who may import whom: a folder imports only folders below it, and some libraries have one user alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the bottom up. A file beside the folders may know them all; those below know it if it knows nothing above them.
FOLDERS = {
    "stream_analyzer": ("system", "analysis", "sound", "protocol", "sets", "library", "serving", "client", "settings"),
    "training": ("data", "music", "nets", "genre", "tempo", "key", "beat", "studies"),
}
WITHOUT_IO = ("analysis", "protocol")
IO = {"asyncio", "threading", "socket", "time", "sounddevice", "soundfile", "websockets", "aiomqtt"}
USERS = {
    "sounddevice": "stream_analyzer.sound.device",
    "ai_edge_litert": "stream_analyzer.analysis.model",
    "aiomqtt": "stream_analyzer.serving.mqtt",
    "pythonosc": "stream_analyzer.serving.osc",
    "prometheus_client": "stream_analyzer.serving.monitor",
    "segno": "stream_analyzer.system.qr",
    "mido": "stream_analyzer.serving.clocks.midi",
    "aalink": "stream_analyzer.serving.clocks.link",
    "av": "stream_analyzer.sound.media.pyav",
    "pyebur128": "stream_analyzer.analysis.loudness",
    "matplotlib": "stream_analyzer.sets.report",
    "mutagen": "stream_analyzer.tags",
    "dask": "stream_analyzer.library.engine",
    "distributed": "stream_analyzer.library.engine",
    "fsspec": "stream_analyzer.library.places",
    "pyarrow": "stream_analyzer.library.table",
    "duckdb": "stream_analyzer.library.similar",
}
NEVER = {"tensorflow", "tf_keras", "keras", "librosa", "scipy", "training"}

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in FOLDERS
    for path in (ROOT / package).rglob("*.py")
}
SERVICE = sorted(name for name in FILES if name.startswith("stream_analyzer"))


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
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & set(FILES)
            found |= inner or {node.module}
    return found


IMPORTS = {name: imports(path) for name, path in FILES.items()}


def folder(module: str) -> str:
    """Return the folder of a module, empty for a file beside the folders."""
    package, *rest = module.split(".")
    return rest[0] if rest and rest[0] in FOLDERS.get(package, ()) else ""


@cache
def height(module: str) -> int:
    """Return the place of a module's folder; a file beside the folders stands as high as what it imports."""
    package = module.split(".", maxsplit=1)[0]
    if folder(module):
        return FOLDERS[package].index(folder(module))
    return max((height(name) for name in IMPORTS.get(module, ()) if name.startswith(f"{package}.")), default=-1)


def foreign(name: str) -> set[str]:
    return {module.split(".")[0] for module in IMPORTS[name]}


@pytest.mark.parametrize("package", FOLDERS)
def test_every_folder_has_its_place(package: str) -> None:
    found = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert found == set(FOLDERS[package])


@pytest.mark.parametrize("name", [name for name in sorted(FILES) if folder(name)])
def test_a_folder_imports_only_folders_below_it(name: str) -> None:
    package = name.split(".", maxsplit=1)[0]
    own = {imported for imported in IMPORTS[name] if imported.startswith(f"{package}.")}
    assert {imported for imported in own if height(imported) > height(name)} == set()


@pytest.mark.parametrize("name", SERVICE)
def test_libraries_have_few_users(name: str) -> None:
    used = foreign(name)
    assert not used & NEVER
    assert all(f"{name}.".startswith(f"{USERS[library]}.") for library in used & set(USERS))


@pytest.mark.parametrize("name", [name for name in SERVICE if folder(name) in WITHOUT_IO])
def test_analysis_and_protocol_know_no_io(name: str) -> None:
    assert not foreign(name) & IO


def test_serving_loads_neither_tensorflow_nor_librosa() -> None:
    modules = ", ".join(name for name in SERVICE if not name.endswith("__main__"))
    check = f"import sys, {modules}; print(*sorted({{m.split('.')[0] for m in sys.modules}} & {NEVER!r}))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""
