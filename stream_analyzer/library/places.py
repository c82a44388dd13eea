"""Where files lie: folders here, and on s3://, sftp:// and whatever else fsspec reaches. The only user of fsspec."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import fsspec

from stream_analyzer.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOUND = {
    ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mp2", ".mp3",
    ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".snd", ".tta", ".w64", ".wav", ".webm", ".wma", ".wv",
}  # fmt: skip
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_WHEN = ("mtime", "LastModified", "last_modified", "modified", "updated")  # filesystems call it differently


@dataclass(frozen=True, slots=True)
class Found:
    """A file by its whole name, and what changes when it does: its size, and when it was last written (UTC)."""

    path: str
    size: int
    modified: datetime | None


class Place:
    """A folder or file, here or elsewhere: its filesystem and its name there."""

    def __init__(self, name: str) -> None:
        """Open the filesystem that ``name`` is on. Raises `ConfigError`."""
        if urlsplit(name).password is not None:
            msg = "a password in an address ends up in tables; give it by FSSPEC_SFTP_PASSWORD or a file of fsspec's"
            raise ConfigError(msg)
        self.name = name.rstrip("/") if _ELSEWHERE.match(name) else str(Path(name).absolute())
        try:
            self.fs, self.root = fsspec.core.url_to_fs(self.name)
        except (ImportError, ValueError, OSError) as error:
            msg = f"{name}: can't be reached ({error}); check the address, and what fsspec needs for it"
            raise ConfigError(msg) from error

    def inside(self, *names: str) -> str:
        """Return the name, on the filesystem, of something in this folder."""
        return str(PurePosixPath(self.root, *names)) if self.elsewhere else str(Path(self.root, *names))

    @property
    def elsewhere(self) -> bool:
        """Whether it is not simply a path of this machine."""
        return bool(_ELSEWHERE.match(self.name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file of this folder, whole or not at all. Raises `ConfigError` if that is not possible."""
        target = self.inside(name)
        try:
            self.fs.makedirs(self.fs._parent(target), exist_ok=True)  # noqa: SLF001 - how fsspec names it
            self.fs.pipe_file(f"{target}.part", data)
            self.fs.mv(f"{target}.part", target)
        except OSError as error:
            msg = f"can't write {target}: {getattr(error, 'strerror', None) or error}; make room, or write elsewhere"
            raise ConfigError(msg) from error

    def found(self) -> Iterator[Found]:
        """Yield the file that this is, or the sound files anywhere below the folder. Raises `AudioError`."""
        try:
            about = self.fs.info(self.root)
            below = self.fs.find(self.root, detail=True).values() if about["type"] == "directory" else ()
        except OSError as error:
            reason = getattr(error, "strerror", None) or str(error)
            msg = f"{self.name}: {reason}; check the name"
            raise AudioError(msg) from error
        if about["type"] != "directory":
            yield _found(self.name, about)
        for one in below:
            if PurePosixPath(one["name"]).suffix.lower() in SOUND:
                yield _found(self.name + one["name"][len(self.root) :], one)


def find(names: Iterable[str]) -> list[Found]:
    """Return all that is meant by ``names``, each file once, in order of their names. Raises `AudioError`."""
    files = {one.path: one for name in names for one in Place(name).found()}
    return [files[path] for path in sorted(files)]


def _found(path: str, about: dict[str, Any]) -> Found:
    when = next((about[name] for name in _WHEN if about.get(name)), None)
    if isinstance(when, (int, float)):
        when = datetime.fromtimestamp(when, UTC)
    if isinstance(when, datetime) and when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return Found(path, int(about["size"] or 0), when if isinstance(when, datetime) else None)


@contextmanager
def brought(path: str) -> Iterator[Path]:
    """Yield a file as one of this machine: itself, or a copy that is removed afterwards."""
    place = Place(path)
    if not place.elsewhere:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="stream-analyzer-") as folder:
        copy = Path(folder) / (PurePosixPath(place.root).name or "sound")
        try:
            with place.fs.open(place.root, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            msg = f"{path}: {getattr(error, 'strerror', None) or error}; check the name and the connection"
            raise AudioError(msg) from error
        try:
            yield copy
        except AudioError as error:  # which names the copy
            raise type(error)(str(error).replace(str(copy), path)) from error
