"""Songs with exact tempo: MIDI files, drum patterns, effects, windows cut from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from training.data.dataset import to_bytes
from training.music import effects, mma_styles, patterns
from training.music.midi import DRUM_CHANNEL, Note, Score, read_midi, write_midi
from training.music.styles import STYLES, Style
from training.tempo import data as tempo_data
from training.tempo.data import Clips

if TYPE_CHECKING:
    from stream_analyzer.types import F32


def beat_frames(bpm: float, seconds: float, *, every: int) -> F32:
    """Return log-mel of noise bursts at ``bpm``, every n-th frame."""
    rng = np.random.default_rng(0)
    samples = np.arange(int(seconds * SPEC.sample_rate_hz))
    since_beat = samples % round(SPEC.sample_rate_hz * 60.0 / bpm)
    sound = rng.normal(0.0, 0.3, len(samples)) * np.exp(-since_beat / 900.0) + rng.normal(0.0, 0.001, len(samples))
    return StreamingLogMel().push(sound.astype(np.float32))[::every]


def clips(bpm: float = 100.0, *, spread: float = 0.2) -> Clips:
    frames = to_bytes(beat_frames(bpm, 24.0, every=2))
    return Clips(
        level=frames,
        start=np.array([0]),
        length=np.array([len(frames)]),
        bpm=np.array([bpm]),
        frames_per_second=25.0,
        spread=spread,
    )


def periodicity_bpm(window: F32) -> float:
    """Return the strongest tempo of 60..180 BPM in the rise of a window at 12.5 frames a second."""
    rise = np.maximum(np.diff(window, axis=0), 0.0).mean(axis=1)
    spectrum = np.abs(np.fft.rfft((rise - rise.mean()) * np.hanning(len(rise)), 8192))
    bpm = np.fft.rfftfreq(8192, 1.0 / 12.5) * 60.0
    return float(bpm[np.argmax(np.where((bpm > 60.0) & (bpm < 180.0), spectrum, 0.0))])


def test_midi_round_trip() -> None:
    notes = [Note(0.0, 0.5, 0, 60, 100), Note(0.5, 1.25, DRUM_CHANNEL, 36, 90), Note(2.0, 0.25, 0, 60, 80)]
    score = read_midi(write_midi(Score(notes=notes, programs={0: 33}), bpm=123.0))
    assert score.notes == notes
    assert score.programs == {0: 33}
    assert score.bpm == pytest.approx(123.0, rel=1e-6)


def test_midi_refuses_something_else() -> None:
    with pytest.raises(ValueError, match="not a MIDI file"):
        read_midi(b"RIFF....")


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_every_style_composes(style: Style) -> None:
    score = patterns.compose(style, np.random.default_rng(1), beats=32.0)
    assert score.beats >= 24.0
    assert style.lowest_bpm < style.highest_bpm
    assert all({len(steps) for steps in drums} <= {12, 16} for drums in style.drums)


def test_a_seed_gives_one_song() -> None:
    songs = [patterns.compose(STYLES[0], np.random.default_rng(seed), beats=32.0) for seed in (1, 1, 2)]
    assert songs[0] == songs[1]
    assert songs[0] != songs[2]


def test_mma_styles_have_their_own_tempo() -> None:
    assert mma_styles.tempo_range("fastswing") == (180, 240)
    assert mma_styles.tempo_range("swing") == (112, 200)
    assert mma_styles.tempo_range("country") == (90, 140)
    assert mma_styles.tempo_range("count") is None
    assert mma_styles.tempo_range("68swing") is None


def test_noise_has_the_asked_level() -> None:
    rng = np.random.default_rng(0)
    sound = np.sin(np.arange(44_100) * 0.1).astype(np.float32)
    added = effects.add_noise(sound, rng, snr_db=10.0) - sound
    assert 10.0 * np.log10(np.mean(sound**2) / np.mean(added**2)) == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_effects_keep_length_and_stay_finite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = rng.normal(0.0, 0.1, 30_000).astype(np.float32)
    heard = effects.random_chain(sound, rng)
    assert heard.dtype == np.float32
    assert heard.shape == sound.shape
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 1.0 + 1e-5


def test_bad_microphone_has_no_bass() -> None:
    sound = np.sin(2.0 * np.pi * 40.0 * np.arange(44_100) / 22_050).astype(np.float32)
    assert np.std(effects.high_pass(sound, hz=90.0)[22_050:]) < 0.25 * np.std(sound)


def test_cut_windows_have_the_tempo_they_say() -> None:
    windows, bpm = clips().cut(np.random.default_rng(0), 32)
    assert windows.shape == (32, 150, 128)
    assert bpm.min() < 95.0
    assert bpm.max() > 105.0
    found = np.array([periodicity_bpm(window) for window in windows])
    np.testing.assert_allclose(found, bpm, rtol=0.03)


def test_spoilt_windows_keep_their_tempo() -> None:
    rng = np.random.default_rng(1)
    windows, bpm = clips().cut(rng, 64)
    spoilt = tempo_data.spoil(windows, rng)
    assert np.isfinite(spoilt).all()
    assert spoilt.min() >= SPEC.log_floor - 1e-4
    found = np.array([periodicity_bpm(window) for window in spoilt])
    assert (np.abs(found / bpm - 1.0) < 0.04).mean() > 0.8


def test_unfilled_windows_hold_the_floor_in_their_older_part() -> None:
    windows = np.zeros((16, 150, 128), np.float32)
    tempo_data.unfill(windows, np.random.default_rng(0), share=1.0, min_frames=38)
    for window in windows:
        empty = (window == np.float32(SPEC.log_floor)).all(axis=1)
        assert 0 < empty.sum() <= 112
        assert empty[: empty.sum()].all()


def test_spliced_windows_end_with_their_own_track() -> None:
    windows, others = np.zeros((4, 150, 128), np.float32), np.ones((2, 150, 128), np.float32)
    tempo_data.splice(windows, others, np.random.default_rng(0))
    assert (windows[:2, 0] == 1.0).all()
    assert (windows[:, -tempo_data.MIN_SPLICE_FRAMES :] == 0.0).all()
    assert (windows[2:] == 0.0).all()


def test_a_metronome_sounds_on_every_beat() -> None:
    for seed in range(20):
        score = patterns.metronome(np.random.default_rng(seed), beats=16.0)
        assert [note.start for note in score.notes] == [float(beat) for beat in range(16)]


def test_a_long_sound_goes_through_the_codec() -> None:
    sound = np.random.default_rng(1).normal(0.0, 0.1, 200 * effects.RATE_HZ).astype(np.float32)
    heard = effects.codec(sound, quality=0.5)
    assert np.corrcoef(sound, heard)[0, 1] > 0.5
