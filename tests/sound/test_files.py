"""Sound files whose headers are wrong, missing or damaged are heard to their real end, or are said not to be."""

from __future__ import annotations

import io
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from stream_analyzer.errors import AudioError, BrokenOff
from stream_analyzer.sound import media
from stream_analyzer.sound.files import look_at, read_blocks
from tests.support.encoded import NO_XING, encoded
from tests.support.fakes import drum_loop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.types import F32

RATE_HZ = 22_050
SONG_S = 12.0
SONG = drum_loop(SONG_S, rate_hz=RATE_HZ)
ROUNDING_S = 0.15  # MP3 frames and the delay of an encoder


@pytest.fixture
def without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be an installation without the extra `media`."""
    monkeypatch.setattr(media, "is_installed", lambda: False)


def written(form: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, SONG, RATE_HZ, format=form)
    return buffer.getvalue()


def heard(path: Path) -> tuple[float, str]:
    """Return the seconds that could be read, and what is said of the rest."""
    seconds, said = 0.0, ""
    try:
        for block in read_blocks(path):
            assert block.samples.dtype == np.float32
            assert (block.samples.shape[1], block.rate_hz) == (1, RATE_HZ)
            seconds += block.duration_s
    except BrokenOff as error:
        said = str(error)
    return seconds, said


def wav(*, size: Callable[[int], int], after: bytes = b"") -> bytes:
    """Return a WAV file whose header says another size of its samples."""
    data = bytearray(written("WAV"))
    at = data.index(b"data") + 4
    data[at : at + 4] = size(len(data) - at - 4).to_bytes(4, "little")
    return bytes(data) + after


def mp3(samples: F32 = SONG, *, kbits: int = 32, xing: bool = False) -> bytes:
    return encoded(samples, RATE_HZ, "mp3", "libmp3lame", kbits=kbits, options=None if xing else NO_XING)


def loud_start() -> bytes:
    """Return an MP3 whose first frames are far larger than the others, so that no guess by its size can be right."""
    return mp3(SONG[: 2 * RATE_HZ], kbits=160) + mp3(SONG[2 * RATE_HZ :], kbits=16)


TO_THE_END: dict[str, Callable[[], bytes]] = {
    "recorder that died.wav": lambda: wav(size=lambda _: 0),
    "size of a pipe.wav": lambda: wav(size=lambda _: 0xFFFF_FFFF),
    "size of ten seconds ago.wav": lambda: wav(size=lambda true: true // 6),
    "chunk after the samples.wav": lambda: wav(
        size=lambda true: true, after=b"LIST" + (200_000).to_bytes(4, "little") + bytes(200_000)
    ),
    "no Xing.mp3": mp3,
    "no Xing, loud start.mp3": loud_start,
    "Xing.mp3": lambda: mp3(xing=True),
    "length unknown.flac": lambda: encoded(SONG, RATE_HZ, "flac", "flac", piped=True),
}


@pytest.mark.usefixtures("without_ffmpeg")
@pytest.mark.parametrize("name", TO_THE_END)
def test_a_plain_installation_reads_it_to_its_end(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(TO_THE_END[name]())
    seconds, said = heard(path)
    assert seconds == pytest.approx(SONG_S, abs=ROUNDING_S)
    assert not said


def damaged(data: bytes) -> bytes:
    """Return a file in whose middle a disk had gone bad."""
    third = len(data) // 3
    return data[:third] + np.random.default_rng(1).bytes(9000) + data[third:]


ANOTHER_DECODER: dict[
    str, tuple[Callable[[], bytes], float, float]
] = {  # and the seconds that libsndfile gives up after
    "joined.flac": (lambda: written("FLAC") * 2, 2 * SONG_S, SONG_S),
    "joined.ogg": (lambda: written("OGG") * 2, 2 * SONG_S, SONG_S),
    "joined.mp3": (lambda: mp3(xing=True, kbits=64) * 2, 2 * SONG_S, SONG_S),
    "damaged.mp3": (lambda: damaged(mp3(kbits=96)), SONG_S, SONG_S / 3),
}


@pytest.mark.parametrize("name", ANOTHER_DECODER)
def test_where_libsndfile_stumbles_another_decoder_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make, length_s, plain_s = ANOTHER_DECODER[name]
    path = tmp_path / name
    path.write_bytes(make())
    seconds, said = heard(path)
    assert seconds == pytest.approx(length_s, abs=2 * ROUNDING_S)
    assert not said
    monkeypatch.setattr(media, "is_installed", lambda: False)
    seconds, said = heard(path)
    assert seconds == pytest.approx(plain_s, abs=0.8)
    assert "breaks off" in said
    assert "stream-analyzer[media]" in said


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg missing")
def test_opus_whose_page_positions_libsndfile_calls_malformed(tmp_path: Path) -> None:
    vorbis, opus = tmp_path / "song.ogg", tmp_path / "song.opus"
    vorbis.write_bytes(written("OGG"))
    command = ["ffmpeg", "-v", "error", "-i", str(vorbis), "-c:a", "libopus", "-b:a", "24k", str(opus)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    assert sum(block.duration_s for block in read_blocks(opus)) == pytest.approx(SONG_S, abs=ROUNDING_S)


BREAKING_OFF: dict[str, Callable[[], bytes]] = {
    "cut.wav": lambda: written("WAV")[:-300_000],
    "cut.flac": lambda: written("FLAC")[: len(written("FLAC")) // 2],
    "cut.mp3": lambda: mp3(xing=True)[:20_000],
}


@pytest.mark.parametrize("with_ffmpeg", [True, False])
@pytest.mark.parametrize("name", BREAKING_OFF)
def test_what_really_breaks_off_is_used_and_said_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, with_ffmpeg: bool
) -> None:
    monkeypatch.setattr(media, "is_installed", lambda: with_ffmpeg)
    path = tmp_path / name
    path.write_bytes(BREAKING_OFF[name]())
    seconds, said = heard(path)
    assert 4.0 < seconds < 8.0
    assert said.startswith(f"{path}: breaks off: {seconds:.1f} s of 12.0 s could be read (")


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz"),
    [("ipod", "aac", RATE_HZ), ("adts", "aac", RATE_HZ), ("matroska", "libopus", 48_000), ("mpegts", "mp2", RATE_HZ)],
)
def test_what_libsndfile_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str, codec: str, rate_hz: int
) -> None:
    path = tmp_path / "a song"
    path.write_bytes(encoded(drum_loop(SONG_S, rate_hz=rate_hz), rate_hz, container, codec))
    assert look_at(path).rate_hz == rate_hz
    assert sum(block.duration_s for block in read_blocks(path)) == pytest.approx(SONG_S, abs=ROUNDING_S)
    monkeypatch.setattr(media, "is_installed", lambda: False)
    with pytest.raises(AudioError, match=r"Format not recognised.*stream-analyzer\[media\]"):
        look_at(path)


def test_text_is_no_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "page.ts"
    path.write_bytes(b"const answer: number = 42;\n" * 200)
    with pytest.raises(AudioError, match="is it a sound file"):
        look_at(path)


def test_sound_that_no_decoder_knows(tmp_path: Path) -> None:
    path = tmp_path / "telephone.wav"
    path.write_bytes(written("WAV").replace(b"fmt \x10\0\0\0\x01\0", b"fmt \x10\0\0\0\x99\x99"))
    with pytest.raises(AudioError, match="of a kind that FFmpeg can't decode"):
        look_at(path)


def test_both_decoders_hear_the_same(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(written("WAV"))
    ours = np.concatenate([block.samples for block in read_blocks(path)])
    with path.open("rb") as file:
        theirs = np.concatenate(list(media.decode(file, rate_hz=RATE_HZ, channels=1, block=1000)))
    assert np.array_equal(ours, theirs)
