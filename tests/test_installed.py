"""Installed for good: told to systemd, in a container, on a read-only file system, in the C locale, without a home."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.settings.config import Settings
from stream_analyzer.settings.supervised import supervisor
from stream_analyzer.system.notify import Supervisor
from tests.support.real_process import COMMAND, ROOT, Service, environment, free_port, serve, state_is

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = (ROOT / "deploy" / "stream-analyzer.service").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
HEALTH = ROOT / "deploy" / "health.py"
needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
LIMIT_S = 20.0


@contextmanager
def told() -> Iterator[tuple[str, socket.socket]]:
    """Be systemd: give the address of a socket, and the socket."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        path = str(Path(folder) / "notify")
        line.bind(path)
        line.settimeout(LIMIT_S)
        yield path, line


@needs_unix
def test_systemd_is_told_of_start_life_and_end() -> None:
    with told() as (path, line):
        env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
        with serve("--input", "demo", "--log", "off", env=env) as service:
            assert line.recv(500).decode().split("\n")[0] == "READY=1"
            assert [line.recv(500), line.recv(500)] == [b"WATCHDOG=1"] * 2
            assert service.end(signal.SIGTERM)[0] == 0
            words = [b""]
            while words[-1] != b"STOPPING=1":
                words.append(line.recv(500))
            assert set(words[1:-1]) <= {b"WATCHDOG=1"}


@needs_unix
async def test_an_analysis_that_hangs_is_not_said_to_live() -> None:
    with told() as (path, line):
        line.settimeout(0.0)
        healthy = asyncio.Event()
        watching = asyncio.create_task(Supervisor(path, 0.02).watch(healthy.is_set))
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.sock_recv(line, 500), 0.2)
        healthy.set()
        assert await asyncio.wait_for(loop.sock_recv(line, 500), LIMIT_S) == b"WATCHDOG=1"
        watching.cancel()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_an_abstract_socket_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(f"\0stream-analyzer-test-{os.getpid()}")
        line.settimeout(LIMIT_S)
        Supervisor(f"@stream-analyzer-test-{os.getpid()}").tell("READY=1")
        assert line.recv(100) == b"READY=1"


def test_what_a_supervisor_says_is_read_as_systemd_means_it() -> None:
    assert supervisor({}) is None
    assert supervisor({"NOTIFY_SOCKET": "rubbish"}) is None
    assert supervisor({"NOTIFY_SOCKET": "/run/x"}) == Supervisor("/run/x", 0.0)
    assert supervisor({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000"}) == Supervisor("/run/x", 3.0)
    another = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    assert supervisor(another) == Supervisor("/run/x", 0.0), "meant for another process"
    Supervisor("/nonexistent/socket").tell("READY=1")  # nobody there is no reason to end


def test_the_unit_is_hardened_and_asks_for_what_there_is() -> None:
    for line in ("Type=notify", "WatchdogSec=30", "DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes"):
        assert f"\n{line}\n" in UNIT
    assert "\nSupplementaryGroups=audio\n" in UNIT
    assert "\nStateDirectory=stream-analyzer\n" in UNIT
    assert "XDG_STATE_HOME=/var/lib" in UNIT


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze missing")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "stream-analyzer.service"
    unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", UNIT))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "stream-analyzer.service" not in done.stderr
    flags = ("--offline=true", "--no-pager")
    judged = subprocess.run(
        ["systemd-analyze", "security", *flags, str(unit)], capture_output=True, text=True, check=False
    )
    if found := re.search(r"exposure level for .*: ([\d.]+)", judged.stdout):
        assert float(found[1]) < 2.5


def instructions(word: str) -> list[str]:
    """Return what the Dockerfile says after a word at the start of a line, continued lines joined."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.partition(" ")[2] for line in joined.splitlines() if line.startswith(f"{word} ")]


def test_the_image_is_small_without_rights_and_watched() -> None:
    assert all(re.fullmatch(r"python:3\.1[1-4]-slim-\w+( AS \w+)?", base) for base in instructions("FROM"))
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert "COPY --from=build" in last
    assert "pip install" not in last
    (user,) = instructions("USER")
    assert int(user) > 0, "a number, so that Kubernetes can see that it is not root"
    assert last.index("USER") > last.index("apt-get")
    for run in instructions("RUN"):
        if "apt-get install" in run:
            assert "--no-install-recommends" in run
            assert "rm -rf /var/lib/apt/lists/*" in run
    assert instructions("ENTRYPOINT") == ['["stream-analyzer"]']
    assert "health.py" in instructions("HEALTHCHECK")[0]
    (port,) = instructions("EXPOSE")
    assert int(port) == Settings().port
    assert instructions("VOLUME") == ["/state"]


def test_what_the_image_copies_is_let_into_its_build() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for copied in instructions("COPY"):
        if "--from" not in copied:
            for source in copied.split()[:-1]:
                assert source in allowed
                assert (ROOT / source).exists()


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint missing")
def test_a_linter_finds_nothing_wrong_with_the_image() -> None:
    done = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def engine() -> bool:
    """Tell whether a container engine runs here."""
    found = shutil.which("docker")
    return found is not None and subprocess.run([found, "info"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not engine(), reason="no container engine runs here")
def test_the_image_is_built_and_runs() -> None:
    subprocess.run(["docker", "build", "-q", "-t", "stream-analyzer:test", str(ROOT)], check=True, capture_output=True)
    flags = ("--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")  # noqa: S108 - the container's own
    done = subprocess.run(
        ["docker", "run", *flags, "stream-analyzer:test", "run", "--input", "demo", "--speed", "0", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert '"type":"summary"' in done.stdout


def asked_for_health(port: int) -> subprocess.CompletedProcess[str]:
    env = environment({"STREAM_ANALYZER_PORT": str(port)})
    return subprocess.run(
        [sys.executable, str(HEALTH)], capture_output=True, text=True, env=env, timeout=30, check=False
    )


def test_a_container_knows_whether_it_is_well() -> None:
    with serve("--input", "demo", "--log", "off") as service:
        well = asked_for_health(int(service.address.rpartition(":")[2]))
    assert (well.returncode, '"ok": true' in well.stdout) == (0, True)
    gone = asked_for_health(free_port())
    assert (gone.returncode, "not well" in gone.stderr) == (1, True)


def may_remount() -> bool:
    """Tell whether a process of ours may have a view of the file system that is read-only."""
    if not shutil.which("unshare"):
        return False
    look = ("unshare", "-m", "sh", "-c", "mount -o remount,bind,ro / && ! touch /unwritable 2>/dev/null")
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_remount(), reason="the file system can't be made read-only for a process here")
async def test_a_read_only_file_system_in_the_c_locale() -> None:
    env = environment({"LC_ALL": "C", "HOME": "/nonexistent", "XDG_STATE_HOME": "", "TMPDIR": "/nonexistent"})
    command = [*COMMAND, "run", "--port", "0", "--input", "demo"]
    shell = "mount -o remount,bind,ro / && exec " + " ".join(map(str, command))
    with subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        ["unshare", "-m", "sh", "-c", shell], env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            service = Service(process)
            service.wait_until_up()
            async with service.listen() as client:
                await client.until(state_is("live"))
                await client.until(lambda message: message["type"] == "tempo")
            assert (await asyncio.to_thread(service.end, signal.SIGTERM))[0] == 0
        finally:
            if process.poll() is None:
                process.kill()
