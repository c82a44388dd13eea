"""Feature files as music: single frames are spread over time, heard, and put right by a map that sounds teach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.features import StreamingLogMel
from stream_analyzer.analysis.genre.picture import PICTURE_FRAMES, PICTURE_SPEC, picture
from stream_analyzer.errors import ConfigError
from training.data.fma_picture import FMA_SPEC, fma_picture
from training.data.sources import NEPER_PER_DB
from training.genre.collection import LABELS, Clip
from training.genre.embedded import Embedded
from training.genre.musicnn import compact
from training.genre.pictured import (
    Track,
    fma_columns,
    label_of,
    pairs,
    read_fma,
    read_gtzan,
    spread,
    to_bands,
    translate,
)
from training.genre.sound_judge import Heard, with_pictures

from .test_musicnn import random_weights

if TYPE_CHECKING:
    from stream_analyzer.types import F32

pytestmark = pytest.mark.train

HOP_S = PICTURE_SPEC.hop / PICTURE_SPEC.sample_rate_hz
MIDDLE_S = PICTURE_SPEC.n_fft / 2 / PICTURE_SPEC.sample_rate_hz


def embedded(clip: list[int], *, seed: int = 0) -> Embedded:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(clip), 712)).astype(np.float32)
    return Embedded(np.array(clip), values[:, :512], values[:, 512:])


def test_a_song_of_which_all_frames_are_known_is_seen_as_it_is() -> None:
    frames = np.random.default_rng(0).normal(-5.0, 2.0, (2 * PICTURE_FRAMES, 96)).astype(np.float32)
    times_s = np.asarray(np.arange(len(frames)) * HOP_S + MIDDLE_S, np.float64)

    seen = spread(frames, times_s, [0.0, PICTURE_FRAMES * HOP_S])

    np.testing.assert_allclose(seen[0], picture(frames[:PICTURE_FRAMES]), atol=1e-3)
    np.testing.assert_allclose(seen[1], picture(frames[PICTURE_FRAMES:]), atol=1e-3)


def test_a_steady_sound_is_seen_alike_as_a_picture_and_as_sound() -> None:
    time_s = np.arange(int(8.0 * FMA_SPEC.sample_rate_hz)) / FMA_SPEC.sample_rate_hz
    rng = np.random.default_rng(0)
    tones = sum(np.sin(2.0 * np.pi * hz * time_s) / hz for hz in (220.0, 440.0, 880.0, 1760.0, 3520.0))
    sound: F32 = np.asarray(100.0 * tones + 0.01 * rng.normal(size=len(time_s)), np.float32)
    low = np.interp(np.arange(int(8.0 * 16_000)) / 16_000, time_s, sound).astype(np.float32)

    as_sound = picture(StreamingLogMel(PICTURE_SPEC).push(low)[100 : 100 + PICTURE_FRAMES])
    as_picture = spread(*fma_columns(fma_picture(sound), length_s=8.0), [100 * HOP_S])[0]

    assert np.corrcoef(as_sound.mean(axis=0), as_picture.mean(axis=0))[0, 1] > 0.95


def test_bands_of_the_service_become_those_of_the_network() -> None:
    ramp = np.tile(np.arange(128, dtype=np.float32), (3, 1))
    found = to_bands(ramp)

    assert found.shape == (3, 96)
    assert (np.diff(found[0]) > 0.0).all()
    assert found[0, -1] == pytest.approx(np.interp(7_763.0, [7_630.0, 7_830.0], [114.0, 115.0]), abs=1.5)


def test_the_map_learns_what_a_blurred_window_hides() -> None:
    blurred = embedded([0] * 3000)
    truth = np.random.default_rng(1).normal(0.0, 0.1, (712, 200))
    clean = (np.concatenate([blurred.pooled, blurred.embedding], axis=1) @ truth + 2.0).astype(np.float32)

    found = translate(blurred, clean, shrink=1e-6).embedding(blurred)

    assert np.abs(found - clean).mean() < 0.02


def test_windows_of_a_clip_are_paired_as_far_as_both_go() -> None:
    blurred, clean = embedded([0, 0, 2, 2, 2], seed=1), embedded([0, 0, 0, 1, 2, 2], seed=2)

    ours, theirs = pairs(blurred, clean)

    assert ours.clip.tolist() == [0, 0, 2, 2]
    np.testing.assert_array_equal(ours.embedding, blurred.embedding[:4])
    np.testing.assert_array_equal(theirs, clean.embedding[[0, 1, 4, 5]])


def test_finer_words_tell_what_a_top_genre_hides() -> None:
    words = {
        ("Rock", "Rock|Black-Metal"): "Metal",
        ("International", "International|Reggae - Dub"): "Reggae",
        ("International", "Balkan"): "",
        ("Hip-Hop", "Rap|Hip-Hop"): "Hip-Hop",
        ("Experimental", "Noise"): "",
    }
    found = {(genre, tags): label_of(Track(genre, tuple(tags.split("|")), "1", "train")) for genre, tags in words}
    assert found == words


def test_files_are_read_and_broken_ones_named(tmp_path: Path) -> None:
    level = np.full((2, 109, 128), 40, np.uint8)
    level[:, 5] = 85
    path = tmp_path / "fma_small_mel109_4fps.npz"
    genres, words = ["Rock", "Folk"], ["Punk|Rock", "Folk"]
    np.savez(path, level=level, track_id=[2, 5], group=[1, 2], genre=genres, genres_all=words, split=["train", "valid"])

    tracks, songs = read_fma(tmp_path)
    columns, times_s = next(songs)

    assert tracks[0] == Track("Rock", ("Punk", "Rock"), "1", "train")
    assert columns.shape == (128, 96)
    assert (times_s[0], times_s[-1]) == pytest.approx((30.0 / 256, 30.0 - 30.0 / 256))
    assert columns[0, 5] - columns[0, 4] == pytest.approx(45 * 80 / 85 * NEPER_PER_DB, rel=1e-4)
    with pytest.raises(ConfigError, match="--data"):
        read_gtzan(tmp_path)
    path.write_bytes(b"PK broken")
    with pytest.raises(ConfigError, match="can't read"):
        read_fma(tmp_path)


def test_pictures_teach_but_where_their_source_is_left_out() -> None:
    clips = [
        Clip(Path(f"{name}.ogg"), source, "Rock", name, "train", music=True)
        for name, source in (("a", "gtzan"), ("b", "fma_small"))
    ]
    tracks = [Track("Rock", ("Rock",), "1", "train"), Track("Rock", ("Rock",), "2", "valid")]
    heard = Heard(
        clips, {"clean": embedded([0] * 6 + [1] * 6)}, embedded([0]), tracks, embedded([0, 1]), embedded([0, 1])
    )
    parts = compact(random_weights(np.random.default_rng(0)))

    both = with_pictures(heard, np.array([True, True]), parts)
    without = with_pictures(heard, np.array([True, False]), parts)

    assert without.source.tolist() == ["gtzan"] * 6
    assert both.source.tolist() == ["gtzan"] * 6 + ["fma_small"] * 7
    assert both.song[-1] == "picture 0"
    assert set(both.label) == {LABELS.index("Rock")}
