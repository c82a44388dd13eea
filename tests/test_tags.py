"""Tags of sound files: what is written, where it is written in each format, and that nothing else changes."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutagen
import mutagen.id3
import numpy as np
import pytest
import soundfile

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.tags import Change, propose, read_names, write
from tests.support.encoded import encoded
from tests.support.one_command import Command, plain_command
from tests.support.pulse import RATE_HZ, drum_loop

if TYPE_CHECKING:
    from collections.abc import Callable

SOUND = drum_loop(124.0, duration_s=2.0)
FOUND: dict[str, Any] = {
    "tempo": {"bpm": 127.94, "confidence": 0.9},
    "key": {"label": "F# minor", "confidence": 0.8},
    "genre": {"label": "Hip-Hop", "confidence": 0.7},
}
NAMES = ("bpm", "key", "genre")
ID3: Any = mutagen.id3


def sound(container: str, subtype: str) -> bytes:
    made = io.BytesIO()
    soundfile.write(made, SOUND, RATE_HZ, format=container, subtype=subtype)
    return made.getvalue()


FORMATS: dict[str, Callable[[], bytes]] = {
    "mp3": lambda: sound("MP3", "MPEG_LAYER_III"),
    "wav": lambda: sound("WAV", "PCM_16"),
    "aiff": lambda: sound("AIFF", "PCM_16"),
    "flac": lambda: sound("FLAC", "PCM_16"),
    "ogg": lambda: sound("OGG", "VORBIS"),
    "opus": lambda: encoded(SOUND, 48_000, "ogg", "libopus"),
    "m4a": lambda: encoded(SOUND, RATE_HZ, "ipod", "aac"),
}


def heard(path: Path) -> str:
    """Return a digest of the samples in a file."""
    from stream_analyzer.sound.files import read_blocks

    whole = np.concatenate([block.samples for block in read_blocks(path)])
    return hashlib.sha256(whole.tobytes()).hexdigest()


@pytest.mark.parametrize("suffix", FORMATS)
def test_each_format_is_tagged_and_sounds_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"song.{suffix}"
    path.write_bytes(FORMATS[suffix]())
    before = heard(path)
    assert [change.old for change in propose(path, FOUND, NAMES)] == ["", "", ""]
    write(path, propose(path, FOUND, NAMES))
    bpm = "128" if suffix == "m4a" else "127.94"
    assert [change.old for change in propose(path, FOUND, NAMES)] == [bpm, "F#m", "Hip-Hop"]
    assert heard(path) == before


def test_what_was_found_is_told_though_the_file_holds_no_tags(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "song.au"
    soundfile.write(path, drum_loop(124.0, duration_s=6.0), RATE_HZ, format="AU", subtype="PCM_16")
    code, err, out = command("analyze", "--json", "--write-tags", "bpm", str(path))
    assert (code, len(err)) == (1, 1)
    assert "no tags that this program knows" in err[0]
    assert json.loads(out)["file"] == str(path)


def test_other_programs_find_them_under_their_names(tmp_path: Path) -> None:
    tags = {}
    for suffix in ("mp3", "flac", "m4a"):
        path = tmp_path / f"song.{suffix}"
        path.write_bytes(FORMATS[suffix]())
        write(path, propose(path, FOUND, NAMES))
        tags[suffix] = mutagen.File(path).tags
    assert [str(tags["mp3"][name]) for name in ("TBPM", "TKEY", "TCON")] == ["127.94", "F#m", "Hip-Hop"]
    assert [tags["flac"][name] for name in ("bpm", "initialkey", "genre")] == [["127.94"], ["F#m"], ["Hip-Hop"]]
    assert [tags["m4a"][name] for name in ("tmpo", "\xa9gen")] == [[128], ["Hip-Hop"]]
    assert bytes(tags["m4a"]["----:com.apple.iTunes:initialkey"][0]) == b"F#m"


def test_an_older_id3_stays_one_and_other_tags_stay(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(FORMATS["mp3"]())
    old = ID3.ID3()
    old.add(ID3.TIT2(encoding=3, text="A song"))
    old.save(path, v2_version=3)
    write(path, propose(path, FOUND, ("key",)))
    assert path.read_bytes()[:4] == b"ID3\x03"
    assert str(ID3.ID3(path)["TIT2"]) == "A song"


@pytest.mark.parametrize(
    ("old", "new", "overwrite", "due"),
    [
        ("", "128", False, True), ("127", "128", False, False), ("127", "128", True, True), ("128", "128", True, False),
        ("127", "", True, False),
    ],
)  # fmt: skip
def test_what_is_there_stays(old: str, new: str, overwrite: bool, due: bool) -> None:  # noqa: FBT001
    assert Change("bpm", "TBPM", old, new).is_due(overwrite=overwrite) == due


def test_what_is_not_sure_is_no_tag(tmp_path: Path) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(FORMATS["flac"]())
    unsure = {"tempo": {"bpm": 120.0, "confidence": 0.4}, "key": None, "genre": {"label": "Pop", "confidence": 0.49}}
    assert [change.new for change in propose(path, unsure, NAMES)] == ["", "", ""]


@pytest.mark.parametrize("value", ["", "bpm,title", "BPM", ","])
def test_names_that_are_none(value: str) -> None:
    with pytest.raises(ConfigError, match="must be of bpm, key, genre"):
        read_names(value)


def test_without_mutagen_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_analyzer.tags.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"stream-analyzer\[tags\]"):
        read_names("bpm")


def test_what_holds_no_tags(tmp_path: Path) -> None:
    path = tmp_path / "song.au"
    path.write_bytes(sound("AU", "PCM_16"))
    with pytest.raises(AudioError, match="MP3, WAV, AIFF, FLAC, Ogg, Opus and M4A"):
        propose(path, FOUND, NAMES)


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return plain_command(capfd, monkeypatch)


def test_the_command_shows_first_writes_when_told_and_goes_on_after_a_broken_file(
    command: Command, tmp_path: Path
) -> None:
    song, broken, kept = tmp_path / "a.flac", tmp_path / "b.mp3", tmp_path / "c.mp3"
    soundfile.write(song, drum_loop(124.0, duration_s=16.0), RATE_HZ)
    broken.write_bytes(b"no sound at all")
    soundfile.write(kept, drum_loop(124.0, duration_s=16.0), RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    old = ID3.ID3()
    old.add(ID3.TBPM(encoding=3, text="62"))
    old.save(kept)
    before = song.read_bytes()
    flags = ("analyze", "--json", "--write-tags", "bpm", str(song), str(broken), str(kept))

    code, err, out = command(*flags)
    assert code == 1
    assert len(err) == 1
    assert str(broken) in err[0]
    first, last = (json.loads(line)["tags"]["bpm"] for line in out.splitlines())
    assert abs(float(first["new"]) / 124.0 - 1.0) < 0.01
    assert (first["old"], first["written"]) == ("", False)
    assert song.read_bytes() == before, "shown alone"

    _, _, out = command(*flags, "--yes")
    first, last = (json.loads(line)["tags"]["bpm"] for line in out.splitlines())
    assert (first["written"], last["written"], last["old"]) == (True, False, "62")
    assert mutagen.File(song).tags["bpm"] == [first["new"]]

    command(*flags, "--yes", "--overwrite")
    assert str(mutagen.File(kept).tags["TBPM"]) == last["new"]


@pytest.mark.parametrize("fault", ["read-only", "full disk"])
def test_a_file_that_can_not_be_written_is_named_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = tmp_path / "song.flac"
    path.write_bytes(FORMATS["flac"]())
    changes, before = propose(path, FOUND, NAMES), path.read_bytes()
    number = {"read-only": errno.EACCES, "full disk": errno.ENOSPC}[fault]

    def refuse(*_arguments: object, **_more: object) -> None:
        raise OSError(number, os.strerror(number))

    if fault == "read-only":
        monkeypatch.setattr(Path, "open", refuse)  # root may write everything
    else:
        monkeypatch.setattr("mutagen.flac.FLAC.save", refuse)
    with pytest.raises(AudioError, match=rf"song\.flac.*{os.strerror(number)}.*who may write there"):
        write(path, changes)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
