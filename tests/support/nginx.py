"""A real nginx in front of an analyzer, under /music/, configured in the ways that people do it, a port for each."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEPLOY = ROOT / "docs" / "deploy.md"
# Debian keeps servers out of the path of users.
PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
HOSTS = {"host kept": "$host", "host replaced": "$proxy_host"}  # most recipes; nginx's own default


def why_not() -> str:
    """Return why no nginx can be run here, or nothing."""
    return "" if PROGRAM else "nginx missing (Debian: apt install nginx-light)"


@contextmanager
def nginx(folder: Path, backend: str, *, proto: str = "https") -> Iterator[dict[str, int]]:
    """Run it in front of ``backend`` (host:port) while the context lasts; gives the port of each configuration.

    ``proto`` is what it says that browsers reach it by. Its sockets are made here and handed over, so that it can be
    reached at once.
    """
    assert PROGRAM
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in HOSTS}
        ports = {name: int(listening.getsockname()[1]) for name, listening in sockets.items()}
        descriptors = [listening.fileno() for listening in sockets.values()]
        (folder / "nginx.conf").write_text(_configuration(backend, ports, proto))
        command = [PROGRAM, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        inherited = {"NGINX": "".join(f"{descriptor};" for descriptor in descriptors)}
        process = subprocess.Popen(command, pass_fds=descriptors, env=os.environ | inherited)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        yield ports


def _configuration(backend: str, ports: dict[str, int], proto: str) -> str:
    """Return settings that need no file of the system's, around those that our documentation recommends."""
    documented = re.search(r"```nginx\n(map .*?\n)\n(location .*?)```", DEPLOY.read_text(), re.DOTALL)
    assert documented
    upgrade, location = documented.groups()
    location = location.replace("127.0.0.1:8765", backend).replace("$scheme", proto)
    servers = "".join(
        f"server {{ listen 127.0.0.1:{port};\n{location.replace('Host $host;', f'Host {HOSTS[name]};')}}}\n"
        for name, port in ports.items()
    )
    temporary = "".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""  # as root it would become a user who can't read the folder
    return f"{user} daemon off; pid nginx.pid; events {{ }} http {{ access_log off; {temporary}\n{upgrade}{servers}}}"
