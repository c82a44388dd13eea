"""A real SFTP server in this process: it serves one folder to one user."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import asyncssh
import fsspec

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
