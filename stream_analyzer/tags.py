"""What was found, as tags in the sound files: the names that DJ programs read. The only user of mutagen (extra `tags`).

    summary of a file -> propose (old and new, nothing is written) -> write (tags alone, the sound stays as it is)

Names and forms: ID3v2.4 (TBPM, TKEY, TCON) for MP3, WAV and AIFF; Vorbis comments (BPM, INITIALKEY, GENRE) for FLAC,
Ogg and Opus; MP4's atoms (tmpo, which is whole, initialkey, ©gen). Keys are written as ID3 has them: Am, F#m, Bb.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from stream_analyzer.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAMES = ("bpm", "key", "genre")
SURE = 0.5  # what is less sure is no tag: nobody sees there that it was a guess
_ID3 = {"bpm": "TBPM", "key": "TKEY", "genre": "TCON"}
_VORBIS = {"bpm": "BPM", "key": "INITIALKEY", "genre": "GENRE"}
_MP4 = {"bpm": "tmpo", "key": "----:com.apple.iTunes:initialkey", "genre": "\xa9gen"}
_OLDER_ID3 = (2, 3)
_MISSING = "tags are written by mutagen, which is not installed; pip install 'stream-analyzer[tags]' adds it"


@dataclass(frozen=True, slots=True)
class Change:
    """A tag as it is (empty: there is none) and as it would be; ``new`` is empty where nothing sure was found."""

    name: str
    tag: str
    old: str
    new: str

    def is_due(self, *, overwrite: bool) -> bool:
        """Tell whether it is to be written: what is there stays, unless ``overwrite``."""
        return bool(self.new) and self.new != self.old and (overwrite or not self.old)


def read_names(value: str) -> tuple[str, ...]:
    """Return the names in a list with commas. Raises `ConfigError`, also where mutagen is missing."""
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    if not names or not set(names) <= set(NAMES):
        msg = f"--write-tags {value!r}: must be of {', '.join(NAMES)}, with commas between"
        raise ConfigError(msg)
    if not find_spec("mutagen"):
        raise ConfigError(_MISSING)
    return names


def propose(path: Path, found: Mapping[str, Any], names: Sequence[str]) -> list[Change]:
    """Return what the summary ``found`` of a file would make of its tags. Raises `AudioError` if it can hold none."""
    file, tags = _open(path)
    new = {name: _value(name, found) for name in names}
    return [Change(name, tags[name], _old(file, tags[name]), new[name]) for name in names]


def write(path: Path, changes: Sequence[Change]) -> None:
    """Write the new values of ``changes``. Raises `AudioError`; then the file is as it was.

    They are written to a copy that takes the file's place: a full disk or a power cut harms no song.
    """
    import mutagen  # noqa: PLC0415

    song = path.resolve()
    copy = song.with_name(f".{song.name}.tags")
    try:
        with song.open("rb+"):  # who may not write the file shall not replace it
            pass
        shutil.copy2(song, copy)
        file, _ = _open(copy)
        for change in changes:
            _set(file, change)
        if isinstance(file.tags, mutagen.id3.ID3) and file.tags.version[:2] == _OLDER_ID3:
            file.save(v2_version=3)  # a player that wrote the older form may read no other
        else:
            file.save()
        copy.replace(song)
    except (mutagen.MutagenError, OSError) as error:
        msg = f"{path}: its tags can't be written: {_reason(error)}; check who may write there"
        raise AudioError(msg) from error
    finally:
        copy.unlink(missing_ok=True)


def _open(path: Path) -> tuple[Any, dict[str, str]]:
    """Return a file as mutagen has it, and how its tags are named."""
    import mutagen  # noqa: PLC0415
    import mutagen.id3  # noqa: PLC0415
    import mutagen.mp4  # noqa: PLC0415

    try:
        file = mutagen.File(path)
        if file is not None and file.tags is None:
            file.add_tags()
    except (mutagen.MutagenError, OSError) as error:
        msg = f"{path}: its tags can't be read: {_reason(error)}; other programs may mend it"
        raise AudioError(msg) from error
    if file is not None and isinstance(file.tags, mutagen.id3.ID3):
        return file, _ID3
    if file is not None and isinstance(file.tags, mutagen.mp4.MP4Tags):
        return file, _MP4
    if file is not None and isinstance(file.tags, mutagen.Tags) and hasattr(file.tags, "vendor"):
        return file, _VORBIS
    msg = f"{path}: has no tags that this program knows; they are written to MP3, WAV, AIFF, FLAC, Ogg, Opus and M4A"
    raise AudioError(msg)


def _reason(error: Exception) -> str:
    inner = error.args[0] if error.args and isinstance(error.args[0], OSError) else error
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__


def _value(name: str, found: Mapping[str, Any]) -> str:
    """Return what a tag would hold, empty where nothing sure was found."""
    part = found[{"bpm": "tempo"}.get(name, name)]
    if not part or part["confidence"] < SURE:
        return ""
    if name == "bpm":
        return f"{part['bpm']:.2f}".rstrip("0").rstrip(".")
    if name == "key":
        tonic, mode = part["label"].split(" ")
        return str(tonic + ("m" if mode == "minor" else ""))
    return str(part["label"])


def _old(file: Any, tag: str) -> str:  # noqa: ANN401 - mutagen's classes share no base with these methods
    values = file.tags.get(tag)
    if not values:
        return ""
    first = getattr(values, "text", values)
    first = first[0] if isinstance(first, list) and first else first
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


def _set(file: Any, change: Change) -> None:  # noqa: ANN401
    import mutagen.id3  # noqa: PLC0415

    if change.tag in _ID3.values():
        frame = getattr(mutagen.id3, change.tag)
        file.tags.setall(change.tag, [frame(encoding=mutagen.id3.Encoding.UTF8, text=change.new)])
    elif change.tag == _MP4["bpm"]:
        file.tags[change.tag] = [round(float(change.new))]
    elif change.tag == _MP4["key"]:
        file.tags[change.tag] = [change.new.encode()]
    else:
        file.tags[change.tag] = [change.new]
