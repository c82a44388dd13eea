"""The genre model of sound in one network: heads on its layers, like ranges for int8, and what it makes of a sound."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.songs import song_of
from training.genre import equal
from training.genre.collection import LABELS
from training.genre.head import Linear
from training.genre.musicnn import BANDS, FRAMES, build, compact
from training.genre.sound_model import Int8Model, Music, assemble, features_of, to_int8
from training.genre.sound_pictures import RATE_HZ, WINDOW_SAMPLES, changed, pictures
from training.genre.student import Lesson, StudentConfig, teach

from .test_musicnn import random_weights

pytestmark = pytest.mark.train


def _pictures(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rng = np.random.default_rng(1)
    return rng.uniform(0.0, 4.0, (count, FRAMES, BANDS, 1)).astype(np.float32)


def test_one_network_gives_what_its_parts_give_and_int8_keeps_it() -> None:
    rng = np.random.default_rng(0)
    parts = compact(random_weights(rng))
    network = build(parts)
    seen = _pictures(12)
    features = features_of(network.predict(seen, verbose=0), parts)
    head = Linear(rng.normal(0.0, 0.1, (features.shape[1], len(LABELS))), rng.normal(0.0, 0.1, len(LABELS)))
    music = Music(rng.normal(0.0, 0.02, network.get_layer("pooled").output.shape[-1]), 0.5)

    model = assemble(network, parts, heads=[head], music=music)
    logits = model.predict(seen, verbose=0)
    exported = Int8Model(to_int8(model, seen))
    found = np.stack([exported.run(picture[..., 0]) for picture in seen])

    np.testing.assert_allclose(logits[:, :-1], head.logits(features), atol=1e-3)
    np.testing.assert_allclose(model.predict(seen, verbose=0), logits, atol=0.05 * np.ptp(logits))
    assert np.abs(found - logits).mean() < 0.1 * logits.std()


def test_like_ranges_change_no_value() -> None:
    network = build(compact(random_weights(np.random.default_rng(0))))
    seen = _pictures(6)
    before = network.predict(seen, verbose=0)

    equal.equalise(network, seen)

    np.testing.assert_allclose(network.predict(seen, verbose=0), before, atol=1e-3)


def test_a_student_comes_nearer_to_what_it_is_taught() -> None:
    parts = compact(random_weights(np.random.default_rng(0)))
    network = build(parts)
    rng = np.random.default_rng(2)
    front = rng.normal(0.0, 1.0, (2, 32, FRAMES, parts.timbres)).astype(np.float16)
    wanted = np.abs(rng.normal(0.0, 1.0, (32, 200))).astype(np.float32)
    kernel = network.get_layer("embedding").get_weights()[0].copy()
    front_kernel = network.get_layer("front_0").get_weights()[0].copy()

    teach(network, parts, Lesson(front, wanted), config=StudentConfig(passes=4.0, batch=8), seed=0)

    assert not np.allclose(network.get_layer("embedding").get_weights()[0], kernel)
    np.testing.assert_array_equal(network.get_layer("front_0").get_weights()[0], front_kernel)


def test_a_short_sound_is_repeated_and_a_long_one_cut_into_windows() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, 2 * WINDOW_SAMPLES).astype(np.float32)

    assert pictures(noise[:RATE_HZ]).shape == (1, FRAMES, BANDS)
    assert pictures(noise).shape == (2, FRAMES, BANDS)


def test_variants_repeat_and_differ_by_clip() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, RATE_HZ).astype(np.float32)

    np.testing.assert_array_equal(changed(noise, "room0", name="a"), changed(noise, "room0", name="a"))
    assert not np.array_equal(changed(noise, "room0", name="a"), changed(noise, "room0", name="b"))
    assert changed(noise, "clean", name="a") is noise


def test_clips_of_one_song_share_its_name() -> None:
    assert song_of("genrewave_songs/pop_Saw_c0_f58294.ogg") == song_of("genrewave_songs/pop_Saw_c4_f58294.ogg")
    assert song_of("gtzan/blues.00001.ogg") != song_of("gtzan/blues.00002.ogg")
