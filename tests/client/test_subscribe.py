"""The command `subscribe`: a live line on a terminal, plain lines and JSON elsewhere, and every way it can end."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stream_analyzer.client.following import Gap, Lost, Received
from stream_analyzer.client.live_line import LiveLine, write_messages
from stream_analyzer.types import Beat, Genre, Level, Score, Status, Tempo
from tests.support.one_command import Command, plain_command
from tests.support.real_process import COMMAND, ROOT, environment, free_port, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMIT_S = 120.0
TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return plain_command(capfd, monkeypatch)


@contextmanager
def subscribing(*arguments: str, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Run the command while the context lasts."""
    with subprocess.Popen(
        [*COMMAND, "subscribe", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=ROOT,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_lines_of_what_changes_until_it_is_ended(by: signal.Signals) -> None:
    with serve("--input", "demo") as service, subscribing(service.address) as process:
        assert process.stdout
        assert process.stderr
        while "BPM" not in (line := process.stdout.readline()):
            assert line.startswith("0:00:0")
        process.send_signal(by)
        rest, said = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, said) == (0, "")
        lines = [line.partition("  ")[2] for line in [line, *rest.splitlines()]]
        assert all(line != before for line, before in zip(lines[1:], lines, strict=False))


def test_json_lines_keep_the_schema(validate: Callable[[dict[str, Any]], None]) -> None:
    with (
        serve("--input", "demo") as service,
        subscribing(service.address, "--json", "--types", "level,tempo") as process,
    ):
        assert process.stdout
        messages = [json.loads(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
    for message in messages:
        validate(message)
    assert messages[0]["type"] == "hello"
    assert {message["type"] for message in messages[1:]} <= {"level", "tempo"}


def test_a_terminal_shows_one_line_that_is_written_over() -> None:
    ours, theirs = pty.openpty()
    with serve("--input", "demo") as service, subscribing(service.address, stdout=theirs) as process:
        shown = b""
        while b"BPM" not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
        shown += os.read(ours, 65_536)
    os.close(ours)
    os.close(theirs)
    assert shown.startswith(b"\r\x1b[K0:00:0")
    assert shown.count(b"\n") == 1, "only at its end"
    assert shown.endswith(b"\n")


@pytest.mark.parametrize("form", ["", "--json"])
def test_a_reader_that_leaves_is_no_error(form: str) -> None:
    with serve("--input", "demo") as service:
        writer = shlex.join([*COMMAND, "subscribe", service.address, *form.split()])
        done = subprocess.run(
            ["sh", "-c", f"{writer} | head -n 1"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env=environment(),
            cwd=ROOT,
        )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_it_waits_for_an_analyzer_and_says_so_once() -> None:
    port = free_port()
    with subscribing(f"127.0.0.1:{port}", "--json") as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == "no connection: connection refused; trying again, Ctrl-C ends\n"
        with serve("--input", "demo", "--port", str(port)):
            assert json.loads(process.stdout.readline())["type"] == "hello"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
        assert "connection refused" not in said.partition("the source has ended")[0]


def test_this_machines_analyzer_is_the_default() -> None:
    with serve("--input", "demo") as service:
        port = {"STREAM_ANALYZER_PORT": service.address.rpartition(":")[2]}
        with subprocess.Popen(
            [*COMMAND, "subscribe", "--json"], stdout=subprocess.PIPE, env=environment(port), cwd=ROOT
        ) as process:
            assert process.stdout
            assert json.loads(process.stdout.readline())["type"] == "hello"
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ftp://club",), ("is no address",)),
        (("club", "--types", "rumour"), ("there is no type 'rumour'", "tempo")),
        (("club", "--types", "tempo,spectrum"), ("the spectrum is not text",)),
        (("club", "--hz", "99"), ("hz = '99'", "from 0.1 to 10")),
        (("club", "--hz", "often"), ("--hz", "'often'")),
        (("club", "elsewhere"), ("elsewhere",)),
    ],
)
def test_wrong_arguments_are_one_line(command: Command, arguments: tuple[str, ...], says: tuple[str, ...]) -> None:
    command.fails("subscribe", *arguments, code=2, says=says)


def test_a_refusal_is_one_line(command: Command) -> None:
    with serve("--input", "demo") as service:
        command.fails(
            "subscribe", f"{service.address}/none", code=2, says=("404 Not Found", "is that a Stream Analyzer?")
        )


def test_a_token_comes_from_environment_or_file(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "token"
    kept.write_text(TOKEN + "\n")
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": TOKEN}) as service:
        with subscribing(service.address, "--json", "--token-file", str(kept)) as process:
            assert process.stdout
            assert json.loads(process.stdout.readline())["type"] == "hello"
        command.fails("subscribe", service.address, "--token", TOKEN, code=2, says=("every user", "--token-file"))
        monkeypatch.setenv("STREAM_ANALYZER_TOKEN", "another-of-sixteen")
        command.fails("subscribe", service.address, code=2, says=("401 Unauthorized", "check the token"))


def test_the_line_says_what_is_known() -> None:
    line = LiveLine()
    line.update(Tempo(3700.2, 127.94, 0.834, "holding", 4.2, ()))
    line.update(Genre(3700.4, "Electronic", 0.71, "music", 0.0, 0.9, (), Score("House", 0.6), sure=True))
    line.update(Level(3700.5, -18.2, -3.0, clipping=True))
    line.update(Status(3700.5, "degraded", "overflow", 0.0, 0.0, 0, 1))
    known = "127.9 BPM 83% holding, 4 s ago   Electronic (House) 71%   -18 dBFS clipping   degraded: overflow"
    assert (line.clock, str(line)) == ("1:01:40", known)
    line.update(Genre(3700.4, "Rock", 0.34, "music", 0.0, 0.9, (), second=Score("Metal", 0.3), sure=True))
    assert "   Rock or Metal 64%   " in str(line)
    line.update(Genre(3700.4, "Rock", 0.2, "music", 0.0, 0.9, ()))
    assert "   Rock 20%, a guess   " in str(line)
    line.update(Genre(3700.4, None, 0.1, "not_music", 0.0, 0.1, ()))
    assert "   no genre 10%, not music   " in str(line)
    line.update(Lost("connection refused", 3.2))
    assert str(line) == "no connection: connection refused; next attempt in 3 s"


def test_beats_and_the_bar_are_in_the_line() -> None:
    line = LiveLine()
    line.update(Tempo(1.0, 92.04, 0.83, "locked", 0.0, (), beats_in_bar=3))
    line.update(Beat(1.1, 1.06, 2, 3, 0.9, 1.7, 92.04))
    assert str(line) == " 92.0 BPM 83% locked, 3 beats a bar   beat 2 of 3"
    line.update(Beat(1.8, 1.7, None, None, 0.9, 2.3, 92.04))
    assert str(line).endswith("   beat")


def test_the_demo_is_no_live_sound_on_the_line_either() -> None:
    line = LiveLine()
    line.update(Status(1.0, "live", "", 0.0, 0.0, 0, 0, demo=True))
    assert str(line) == "demo, live"


def test_a_server_cannot_steer_the_terminal() -> None:
    line = LiveLine()
    line.update(Status(1.0, "live", "\x1b[2J\r\n\x9b", 0.0, 0.0, 0, 1))
    assert str(line) == "live: ?[2J???"


def test_json_is_one_line_a_message_and_tells_what_is_missing() -> None:
    def received(event: Any, payload: str | bytes = "") -> Received:
        return Received(event, "aaaaaa", 1, payload)

    level, lines, notes = Level(0.0, -20.0, -3.0, clipping=False), list[str](), list[str]()
    stream = [
        received(Lost("gone", 1.0)),
        received(Lost("gone", 2.0)),
        received(level, '{\n"v":\r\n1}'),
        received(Gap("level", 3)),
        received(Lost("gone", 1.0)),
        received(Gap(None, None)),
    ]
    write_messages(stream, lines.append, notes.append)
    assert lines == ['{ "v":  1}']
    assert notes == [
        "no connection: gone; trying again, Ctrl-C ends",
        "missed 3 of level",
        "no connection: gone; trying again, Ctrl-C ends",
        "the analyzer has started anew; what came between is lost",
    ]
