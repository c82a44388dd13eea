"""What comes on standard input is told apart by its first bytes: raw PCM, or a container that must be decoded."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.sound import media
from stream_analyzer.sound.containers import container_of
from stream_analyzer.sound.pcm import PcmSource
from stream_analyzer.sound.queue import BlockQueue
from stream_analyzer.types import AudioBlock
from tests.support.encoded import NO_XING, encoded
from tests.support.fakes import drum_loop

RATE_HZ = 22_050
SONG = drum_loop(3.0, rate_hz=RATE_HZ)
CONTAINERS = {
    "WAV": ("wav", "pcm_s16le"), "FLAC": ("flac", "flac"), "MP4": ("ipod", "aac"), "AAC": ("adts", "aac"),
    "Matroska": ("matroska", "aac"), "AIFF": ("aiff", "pcm_s16be"), "MP3": ("mp3", "libmp3lame"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_are_known_by_their_first_bytes(name: str) -> None:
    assert container_of(encoded(SONG, RATE_HZ, *CONTAINERS[name])[:8820]) == name


@pytest.mark.parametrize("cut", [0, 1, 100, 777])
@pytest.mark.parametrize("kbits", [32, 128])
def test_web_radio_begins_anywhere(cut: int, kbits: int) -> None:
    data = encoded(SONG, RATE_HZ, "mp3", "libmp3lame", kbits=kbits, options=NO_XING)
    assert container_of(data[cut:][:8820]) == "MP3"


@given(seed=st.integers(0, 2**32), level=st.floats(0.0, 3.0))
def test_noise_is_raw_pcm(seed: int, level: float) -> None:
    noise = np.random.default_rng(seed).standard_normal(4410) * level
    assert container_of((noise.clip(-1, 1) * 32_767).astype("<i2").tobytes()) == ""
    assert container_of(noise.astype("<f4").tobytes()[:8820]) == ""


@pytest.mark.parametrize("value", [0, -1, 1, -1025, 32_767, -32_768, -5])
def test_a_constant_is_raw_pcm(value: int) -> None:
    assert container_of(np.full(4410, value, "<i2").tobytes()) == ""


async def delivered(data: bytes) -> list[AudioBlock]:
    """Return what a source makes of a stream."""
    source, queue = PcmSource(rate_hz=44_100, channels=2, sample_format="s16le", stream=io.BytesIO(data)), BlockQueue()
    source.open()
    await source.deliver(queue)
    queue.close()
    blocks = []
    while item := await queue.get():
        assert isinstance(item, AudioBlock)
        blocks.append(item)
    return blocks


async def test_what_is_decoded_has_the_form_that_was_announced() -> None:
    blocks = await delivered(encoded(drum_loop(1.0, rate_hz=RATE_HZ), RATE_HZ, "flac", "flac"))
    assert {(block.rate_hz, block.samples.shape[1]) for block in blocks} == {(44_100, 2)}
    assert sum(block.duration_s for block in blocks) == pytest.approx(1.0, abs=0.01)


async def test_a_container_is_refused_where_nothing_can_decode_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "is_installed", lambda: False)
    wanted = r"standard input is FLAC, not raw PCM.*-f s16le -ar 44100 -ac 2 .*stream-analyzer\[media\]"
    with pytest.raises(ConfigError, match=wanted):
        await delivered(encoded(SONG, RATE_HZ, "flac", "flac"))


async def test_what_only_begins_like_a_container_is_refused() -> None:
    with pytest.raises(AudioError, match="which begins as FLAC does"):
        await delivered(b"fLaC" + np.random.default_rng(1).bytes(50_000))


@pytest.mark.parametrize("rate_hz", [3, 805_306_368])
async def test_a_rate_at_which_nobody_samples_is_refused(rate_hz: int) -> None:
    data = bytearray(encoded(SONG, RATE_HZ, "wav", "pcm_s16le"))
    data[24:28] = rate_hz.to_bytes(4, "little")
    with pytest.raises(AudioError, match=rf"begins as WAV does: sample rate {rate_hz} Hz is outside 4000..768000 Hz"):
        await delivered(bytes(data))


async def test_a_stream_may_not_change_to_such_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="flt", layout="mono")
    frame.sample_rate = 1
    monkeypatch.setattr("stream_analyzer.sound.media.pyav.PyAvMedia._frames", lambda _: iter([frame]))
    with pytest.raises(AudioError, match="sample rate 1 Hz is outside"):
        await delivered(encoded(SONG, RATE_HZ, "flac", "flac"))
