"""Any container and codec that FFmpeg knows is heard as what was written: the right tempo comes out of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.offline import analyze_file
from stream_analyzer.sound import media
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.types import Tempo
from tests.support.encoded import encoded
from tests.support.fakes import drum_loop

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.analysis.head import Head

BPM, RATE_HZ = 124.0, 48_000
FORMATS = {
    "m4a": ("ipod", "aac"), "webm": ("webm", "libopus"), "wma": ("asf", "wmav2"), "mp4": ("mp4", "aac"),
    "mov": ("mov", "alac"), "avi": ("avi", "libmp3lame"), "ts": ("mpegts", "ac3"), "mka": ("matroska", "libopus"),
    "aac": ("adts", "aac"), "tta": ("tta", "tta"), "wv": ("wv", "wavpack"), "nut": ("nut", "pcm_s16le"),
}  # fmt: skip


@pytest.fixture(scope="module")
def tempo_alone() -> list[Head]:
    """The real tempo model, and no other."""
    return [head for head in load_heads(resource_folder("models")) if head.name == "tempo"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One drum loop in each format."""
    folder, song = tmp_path_factory.mktemp("formats"), drum_loop(10.0, bpm=BPM, rate_hz=RATE_HZ, channels=2)
    for ending, (container, codec) in FORMATS.items():
        (folder / f"song.{ending}").write_bytes(encoded(song, RATE_HZ, container, codec, kbits=128))
    return {ending: folder / f"song.{ending}" for ending in FORMATS}


def tempo_of(path: Path, heads: list[Head]) -> float:
    return [e.bpm for _, events in analyze_file(path, heads) for e in events if isinstance(e, Tempo)][-1]


@pytest.mark.parametrize("ending", FORMATS)
def test_the_tempo_is_right(files: dict[str, Path], tempo_alone: list[Head], ending: str) -> None:
    assert tempo_of(files[ending], tempo_alone) == pytest.approx(BPM, rel=0.01)


@pytest.mark.parametrize("ending", ["m4a", "webm"])
def test_a_program_on_the_path_does_it_too(
    files: dict[str, Path], tempo_alone: list[Head], monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(media, "find_spec", lambda _name: None)
    if not media.is_installed():
        pytest.skip("ffmpeg missing")
    assert tempo_of(files[ending], tempo_alone) == pytest.approx(BPM, rel=0.01)
    rate_hz, channels, length_s = media.probe(files[ending])
    assert (rate_hz, channels) == (RATE_HZ, 2)
    assert length_s == pytest.approx(10.0, abs=0.1)
