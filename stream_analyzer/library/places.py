"""Where files lie: folders here, and on s3://, sftp:// and whatever else fsspec reaches. The only user of fsspec."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import ENOENT
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

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

    def __init__(self, name: str | Path) -> None:
        """Open the filesystem that ``name`` is on. Raises `ConfigError`."""
        name = str(name)
        if urlsplit(name).password is not None:
            msg = "a password in an address ends up in tables; give it by FSSPEC_SFTP_PASSWORD or a file of fsspec's"
            raise ConfigError(msg)
        self.name = name.rstrip("/") if _ELSEWHERE.match(name) else str(Path(name).absolute())
        try:
            self.fs, self.root = fsspec.core.url_to_fs(self.name)
        except Exception as error:  # each filesystem has errors of its own
            msg = f"{name}: can't be reached ({error}); check the address, and what fsspec needs for it"
            raise ConfigError(msg) from error

    def __reduce__(self) -> tuple[type[Place], tuple[str]]:
        """Travel to a worker as a name: the worker opens the place by itself, and no password travels."""
        return Place, (self.name,)

    def inside(self, *names: str) -> str:
        """Return the name, on the filesystem, of something in this folder."""
        return str(PurePosixPath(self.root, *names)) if self.elsewhere else str(Path(self.root, *names))

    @property
    def elsewhere(self) -> bool:
        """Whether it is not simply a path of this machine."""
        return bool(_ELSEWHERE.match(self.name))

    def exists(self, name: str = "") -> bool:
        """Tell whether it is there, or has such a file."""
        return bool(self.fs.exists(self.inside(name)))

    def open(self, name: str = "") -> IO[bytes]:
        """Open it, or a file of this folder, to be read. Raises `OSError`."""
        file: IO[bytes] = self.fs.open(self.inside(name), "rb")
        return file

    def write(self, name: str, data: bytes) -> None:
        """Write a file of this folder, whole or not at all. Raises `ConfigError` if that is not possible."""
        with self.writing(name) as file:
            file.write(data)

    @contextmanager
    def writing(self, name: str = "") -> Iterator[IO[bytes]]:
        """Give a file to write to; when the block ends well, it is there, whole. Raises `ConfigError`."""
        target = self.inside(name)
        try:
            self.fs.makedirs(self.fs._parent(target), exist_ok=True)  # noqa: SLF001 - how fsspec names it
            with self.fs.open(f"{target}.part", "wb") as file:
                yield file
            self.fs.mv(f"{target}.part", target)
        except OSError as error:
            msg = f"can't write {target}: {reason(error)}; make room, or write elsewhere"
            raise ConfigError(msg) from error

    def found(self) -> Iterator[Found]:
        """Yield the file that this is, or the sound files anywhere below the folder. Raises `AudioError`."""
        try:
            about = self.fs.info(self.root)
            below = self.fs.find(self.root, detail=True).values() if about["type"] == "directory" else ()
        except OSError as error:
            msg = f"{self.name}: {reason(error)}; check the name"
            raise AudioError(msg) from error
        if about["type"] != "directory":
            yield _found(self.name, about)
        for one in below:
            if PurePosixPath(one["name"]).suffix.lower() in SOUND:
                yield _found(self.name + one["name"][len(self.root) :], one)


def reason(error: Exception) -> str:
    """Return what went wrong, without the name: each filesystem says it in its own way."""
    if isinstance(error, FileNotFoundError):
        return os.strerror(ENOENT)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


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
    """Yield a file as one of this machine: itself, or a copy that is removed afterwards.

    Raises `AudioError` if the file is at fault, and `ConfigError` if it can't be brought just now.
    """
    place = Place(path)
    if not place.elsewhere:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="stream-analyzer-") as folder:
        copy = Path(folder) / (PurePosixPath(place.root).name or "sound")
        try:
            with place.fs.open(place.root, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        except Exception as error:  # each filesystem has errors of its own
            msg = f"{path}: {reason(error)}; check the name and the connection"
            at_fault = isinstance(error, (FileNotFoundError, PermissionError))
            raise (AudioError if at_fault else ConfigError)(msg) from error
        try:
            yield copy
        except AudioError as error:  # which names the copy
            raise type(error)(str(error).replace(str(copy), path)) from error


def near(name: str | Path) -> Path:
    """Return a folder as one of this machine: itself, or a copy under runs/copies, made anew where it has changed."""
    place = Place(name)
    if not place.elsewhere:
        return Path(name)
    folder, found = Path("runs/copies") / quote(place.name, safe=""), place.fs.find(place.root, detail=True)
    if not found:
        msg = f"{place.name}: there is nothing; check the name"
        raise ConfigError(msg)
    for path, about in found.items():
        _renew(folder / PurePosixPath(path).relative_to(place.root), place, _found(path, about))
    return folder


def _renew(copy: Path, place: Place, found: Found) -> None:
    """Copy a file unless it is there with its size and time."""
    when_s = int(found.modified.timestamp()) if found.modified else 0
    if when_s and copy.exists() and (copy.stat().st_size, int(copy.stat().st_mtime)) == (found.size, when_s):
        return
    draft = copy.with_name(f"{copy.name}.{os.getpid()}.part")  # of a team that trains, each copies for itself
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        place.fs.get_file(found.path, str(draft))
        os.utime(draft, (when_s, when_s))
        draft.replace(copy)
    except OSError as error:
        msg = f"can't copy {found.path} to {copy}: {reason(error)}; check the connection, and what room is left"
        raise ConfigError(msg) from error
