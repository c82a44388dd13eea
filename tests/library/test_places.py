"""Libraries that lie elsewhere: a real SFTP server, from which sound is read and to which the tables go."""

from __future__ import annotations

import asyncio
import shutil
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import asyncssh
import fsspec
import fsspec.config
import pytest

from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import Place, find
from tests.support.one_command import plain_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USER, PASSWORD = "dj", "a secret"


class _Server(asyncssh.SSHServer):
    """Lets one user in by a password. State: who is connected."""

    def __init__(self, connected: list[asyncssh.SSHServerConnection]) -> None:
        self._connected = connected

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connected.append(conn)

    def begin_auth(self, username: str) -> bool:
        return bool(username)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@contextmanager
def sftp(root: Path) -> Iterator[int]:
    """Serve a folder; yield the port."""
    started: Future[tuple[int, Callable[[], object]]] = Future()

    async def serve() -> None:
        connected: list[asyncssh.SSHServerConnection] = []
        end, loop = asyncio.Event(), asyncio.get_running_loop()
        key = asyncssh.generate_private_key("ssh-ed25519")
        async with asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=partial(_Server, connected),
            server_host_keys=[key],
            sftp_factory=partial(asyncssh.SFTPServer, chroot=str(root).encode()),
        ) as listening:
            started.set_result((listening.get_port(), partial(loop.call_soon_threadsafe, end.set)))
            await end.wait()
            for connection in connected:
                connection.abort()
                await connection.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    port, end = started.result(timeout=20.0)
    try:
        yield port
    finally:
        end()
        thread.join()
        fsspec.get_filesystem_class("sftp").clear_instance_cache()


def test_sound_and_tables_may_lie_on_a_server(
    songs: Path,
    scheduler: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = plain_command(capfd, monkeypatch)
    monkeypatch.setitem(fsspec.config.conf, "sftp", {"password": PASSWORD})
    shutil.copytree(songs, tmp_path / "music")
    with sftp(tmp_path) as port:
        place = f"sftp://{USER}@127.0.0.1:{port}"
        flags = ("analyze", f"{place}/music", "--out", f"{place}/out", "--scheduler", scheduler)
        code, err, _ = command(*flags)
        assert (code, len(err)) == (1, 1), err
        assert f"{place}/music/broken.mp3" in err[0]
        _, _, said = command(*flags)
        assert "3 files, 3 of them from before" in said
        assert [one.path for one in find([f"{place}/music/124.ogg"])] == [f"{place}/music/124.ogg"]
        _, _, said = command("similar", f"{place}/music/124.ogg", "--in", f"{place}/out")
        assert f"{place}/music/132.flac" in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["failures.csv", "files", "parts"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(str(tmp_path))
    place.write("files/1", b"before")

    def fail(*_arguments: object) -> None:
        msg = "the line is cut"
        raise OSError(msg)

    monkeypatch.setattr(place.fs, "mv", fail)
    with pytest.raises(ConfigError, match="line is cut; make room"):
        place.write("files/1", b"after")
    assert (tmp_path / "files/1").read_bytes() == b"before"
