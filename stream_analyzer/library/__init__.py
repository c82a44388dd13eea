"""Whole libraries of sound files into tables: on all cores of this machine or a cluster. Needs the extra `cluster`."""

from __future__ import annotations

from importlib.util import find_spec

from stream_analyzer.errors import ConfigError


def require() -> None:
    """Raise `ConfigError` unless the libraries of the extra are there."""
    missing = [name for name in ("distributed", "fsspec", "pyarrow", "duckdb", "tqdm") if not find_spec(name)]
    if missing:
        msg = f"{', '.join(missing)} missing; install the extra: pip install 'stream-analyzer[cluster]'"
        raise ConfigError(msg)
