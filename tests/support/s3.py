"""A local server that speaks S3: moto's, in this process, with one bucket."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import fsspec
import fsspec.config
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of an empty bucket, which fsspec reaches in this process."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = {"endpoint_url": f"http://{host}:{port}", "region_name": "eu-central-1"}
    monkeypatch.setitem(fsspec.config.conf, "s3", {"key": "dj", "secret": "a secret", "client_kwargs": endpoint})
    try:
        fsspec.filesystem("s3").mkdir("venue")
        yield "s3://venue"
    finally:
        server.stop()
        fsspec.get_filesystem_class("s3").clear_instance_cache()
