"""Output that can't be encoded and standard streams that are not there: nothing raises, and JSON stays JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.inputs import Input, Inputs
from tests.support.real_process import COMMAND, environment

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {
    "Japanese": "\u5922\u306e\u97f3.wav",
    "beyond 16 bits": "\U0001f3b5.wav",
    "in every code page of the west": "caf\xe9.wav",
    "not UTF-8": os.fsdecode(b"caf\xe9.wav"),
}
ENCODINGS = ("cp1252", "ascii", "utf-8")
RUN = ("run", "--port", "0", "--speed", "0")


def command(
    *arguments: str, folder: Path, encoding: str = "utf-8", closed: str = ""
) -> tuple[int, list[str], list[str]]:
    """Run it in a folder, with streams ``closed`` as a shell writes it; return its exit code and the lines it wrote."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {closed}', *COMMAND, *arguments],
        cwd=folder,
        env=environment({"PYTHONIOENCODING": encoding}),
        capture_output=True,
        timeout=60,
        check=False,
    )
    out, err = (text.decode("utf-8", "surrogateescape").splitlines() for text in (done.stdout, done.stderr))
    return done.returncode, out, err


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, song: Path) -> str:
    """The odd name of a file beside the song."""
    odd = NAMES[request.param]
    try:
        shutil.copy(song, song.parent / odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    return odd


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_odd_name_does_not_end_a_batch(song: Path, name: str, encoding: str) -> None:
    code, out, err = command("analyze", "--json", name, song.name, folder=song.parent, encoding=encoding)
    assert (code, err) == (0, [])
    assert [json.loads(line)["file"] for line in out] == [name, song.name]
    code, out, err = command("analyze", "missing " + name, name, song.name, folder=song.parent, encoding=encoding)
    assert (code, len(err), len(out)) == (1, 1, 2), err
    assert "Traceback" not in err[0]


def test_an_odd_name_goes_through_the_stream(song: Path, name: str) -> None:
    code, out, err = command(*RUN, "--json", "--input", name, folder=song.parent, encoding="cp1252")
    assert (code, len(err)) == (0, 1), err
    messages = [json.loads(line) for line in out]
    assert messages[0]["data"]["source"]["name"] == os.fsencode(name).decode(errors="replace")
    assert messages[-1]["type"] == "summary"


@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_odd_device_is_listed(tmp_path: Path, encoding: str, flags: tuple[str, ...]) -> None:
    inputs = Inputs(tmp_path, Input("\u30de\u30a4\u30af \U0001f3a4"))
    env = environment(inputs.env | {"PYTHONIOENCODING": encoding})
    done = subprocess.run([*COMMAND, "devices", *flags], env=env, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    if flags:
        assert json.loads(done.stdout)[0]["name"] == "\u30de\u30a4\u30af \U0001f3a4"


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_without_standard_error_a_file_is_analysed(song: Path, closed: str) -> None:
    code, out, _ = command("analyze", "--json", str(song), folder=song.parent, closed=closed)
    assert code == 0
    assert [json.loads(line)["file"] for line in out] == [str(song)]


@pytest.mark.parametrize("flags", [(), ("--host", "0.0.0.0")])  # noqa: S104 - it ends by itself
def test_without_standard_error_the_stream_is_json_alone(
    song: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(song.parent))
    arguments = (*RUN, "--json", "--input", str(song), *flags)
    code, out, _ = command(*arguments, folder=song.parent, closed="2>&-")
    assert code == 0
    assert [json.loads(line)["type"] for line in (out[0], out[-1])] == ["hello", "summary"]


@pytest.mark.parametrize("arguments", [("analyze", "a song.wav"), (*RUN, "--input", "a song.wav"), ("schema",)])
def test_without_any_standard_stream_it_ends_well(song: Path, arguments: tuple[str, ...]) -> None:
    assert command(*arguments, folder=song.parent, closed="<&- >&- 2>&-") == (0, [], [])


def test_descriptors_of_streams_that_are_closed_are_taken() -> None:
    look = (
        "import os; from stream_analyzer.system.streams import prepare_streams; prepare_streams();"
        "opened = os.open('/dev/null', os.O_RDONLY); print('to nowhere'); os.write(3, str(opened).encode())"
    )
    shell = 'exec "$0" "$@" 3>&1 <&- >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", shell, sys.executable, "-c", look], env=environment(), capture_output=True, check=False
    )
    assert int(done.stdout) > 2


def test_native_libraries_are_silenced_alone() -> None:
    code = """
import os, sys
from stream_analyzer.system.stderr import native_stderr_closed
from stream_analyzer.system.streams import prepare_streams
prepare_streams()
with native_stderr_closed():
    print("ours", file=sys.stderr)
    os.write(2, b"of a library")
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stderr == "ours\n"
