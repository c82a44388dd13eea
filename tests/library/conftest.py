"""What the tests of the library share: a folder of songs, and workers in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import soundfile

from tests.support.cluster import in_process
from tests.support.pulse import RATE_HZ, drum_loop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMATS = {"flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III")}
TEMPI = (132.0, 124.0, 140.0)


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three songs, one a format and one in a folder below, a broken one, and a picture."""
    folder = tmp_path_factory.mktemp("songs")
    (folder / "more").mkdir()
    for (suffix, (form, subtype)), bpm in zip(FORMATS.items(), TEMPI, strict=True):
        path = folder / ("more" if suffix == "mp3" else "") / f"{bpm:.0f}.{suffix}"
        soundfile.write(path, drum_loop(bpm, duration_s=8.0), RATE_HZ, format=form, subtype=subtype)
    (folder / "broken.mp3").write_bytes(b"no sound at all")
    (folder / "cover.jpg").write_bytes(b"a picture")
    return folder


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Return the address of a scheduler with one worker of two threads, in this process."""
    with in_process() as address:
        yield address
