"""The filters that describe a window answer to what they are named after, and the network's parts do what it says."""

from __future__ import annotations

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from training import genre_net, textures
from training.genres import LABELS, label_index

if TYPE_CHECKING:
    from stream_analyzer.types import F32
    from training.dataset import Integers

pytestmark = pytest.mark.train

FRAMES, BANDS, SIZE = 126, 128, 20


def small_net() -> keras.Model:
    return genre_net.genre_net(
        frames=FRAMES, bands=BANDS, size=SIZE, depth=17.0, columns=3, channels=[2, 3, 4, 5], units=6, dropout=0.0
    )


def test_modulation_filters_answer_to_their_own_rate() -> None:
    filters = textures.modulation_filters()
    time_s = np.arange(400) / textures.FRAMES_PER_SECOND
    for column, rate_hz in enumerate(textures.RATES_HZ):
        wave = np.cos(2.0 * np.pi * rate_hz * time_s)
        answer = [np.abs(np.convolve(wave, kernel, "valid")).mean() for kernel in filters.T]
        assert int(np.argmax(answer)) == column
    np.testing.assert_allclose(filters.sum(axis=0), 0.0, atol=1e-6)


def test_modulation_bank_is_the_convolution_at_each_of_its_places() -> None:
    signal = np.random.default_rng(0).normal(size=FRAMES)
    rates = len(textures.RATES_HZ)
    found = (signal @ textures.modulation_bank(FRAMES)[0, 0]).reshape(-1, rates)
    for column, kernel in enumerate(textures.modulation_filters().T):
        whole = np.convolve(signal, kernel[::-1], "same")
        np.testing.assert_allclose(found[:, column], whole[:: textures.BANK_STEP], atol=1e-6)


def test_pairs_are_sums_and_differences() -> None:
    kernel = textures.pairs()[0, 0]
    assert kernel.shape == (textures.CEPSTRA, 2 * textures.PAIRS)
    assert (np.abs(kernel).sum(axis=0) == 2.0).all()
    np.testing.assert_array_equal(kernel[:, : textures.PAIRS].sum(axis=0), 2.0)
    np.testing.assert_array_equal(kernel[:, textures.PAIRS :].sum(axis=0), 0.0)


@pytest.mark.parametrize("kind", range(len(textures.RIPPLES)))
def test_ripples_answer_to_partials_so_many_bands_apart_and_where_they_are(kind: int) -> None:
    comb = np.cos(2.0 * np.pi * np.arange(BANDS) / textures.RIPPLES[kind][0] + 1.0)
    comb[BANDS // 2 :] = 0.0
    strength = np.abs(comb @ textures.ripples(BANDS)[0, :, 0]) @ textures.regions(BANDS)[0, 0]
    by_region = strength.reshape(-1, textures.REGIONS)
    assert (by_region[:, 2:6].argmax(axis=0) == kind).all()
    assert by_region[kind, 11:].max() < 0.01 * by_region[kind, 2:6].min()
    flat = np.ones(BANDS) @ textures.ripples(BANDS)[0, :, 0]
    np.testing.assert_allclose(flat, 0.0, atol=1e-5)


def test_description_is_standardised_and_clipped_and_blind_to_gain() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(-8.0, 3.0, (64, FRAMES, BANDS)) + rng.normal(0.0, 2.0, (64, 1, BANDS))
    windows: F32 = noise.astype(np.float32)
    model = small_net()
    genre_net.standardise(model, windows)
    described = keras.Model(model.input, model.get_layer("description").output)
    values = described.predict(windows[..., None], verbose=0)
    np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=0.1)
    np.testing.assert_allclose(np.median(values.std(axis=0)), 1.0, atol=0.1)
    assert np.abs(values).max() <= genre_net.STANDARD_DEVIATIONS
    louder = described.predict(windows[..., None] + 3.0, verbose=0)
    np.testing.assert_allclose(louder, values, atol=2e-3)
    with_a_click = windows.copy()
    with_a_click[0, 60, :] = 0.0
    assert np.abs(described.predict(with_a_click[..., None], verbose=0)).max() == genre_net.STANDARD_DEVIATIONS


def test_description_and_linear_part_do_not_learn_and_the_larger_of_two_logits_counts() -> None:
    model = small_net()
    windows = tf.constant(np.random.default_rng(0).normal(-8.0, 3.0, (4, FRAMES, BANDS, 1)).astype(np.float32))
    seen = {weight.shape[-2] for weight in model.trainable_weights if len(weight.shape) == 4}
    described = model.get_layer("description").output.shape[-1]
    assert seen == {1, 2, 3, 4, 5, 6, described}  # levels, channels, the hidden layer, and what tells music
    assert not model.get_layer("own").trainable
    before = model(windows).numpy()
    shared = model.get_layer("shared")
    kernel, bias = shared.get_weights()
    shared.set_weights([kernel, bias - 100.0])
    low = model(windows).numpy()
    shared.set_weights([kernel, bias + 100.0])
    high = model(windows).numpy()
    rest = [index for index in range(SIZE) if index not in genre_net.SHARED]
    np.testing.assert_allclose(low[:, rest], before[:, rest], atol=1e-4)
    assert (high[:, genre_net.SHARED] > low[:, genre_net.SHARED] + 50.0).all()
    assert (low <= before + 1e-4).all()
    assert [LABELS[index] for index in genre_net.SHARED] == ["Hip-Hop", "Pop", "Rock"]


def test_teaching_tells_labels_apart_and_never_says_one_without_clips() -> None:
    rng = np.random.default_rng(0)
    taught = [label_index(name) for name in ("Blues", "Jazz", "Pop")]
    spreads = np.array([0.5, 1.5, 4.0])

    def draw(count: int) -> tuple[F32, Integers]:
        which = rng.integers(3, size=count)
        windows = rng.normal(-8.0, spreads[which][:, None, None], (count, FRAMES, BANDS))
        return windows.astype(np.float32), np.array(taught)[which]

    model = small_net()
    genre_net.standardise(model, draw(64)[0])
    genre_net.teach(model, (draw(40) for _ in range(3)), shrink=0.1)
    windows, labels = draw(32)
    logits = np.full((32, len(LABELS)), -np.inf)
    for name, rows in (("own", genre_net.OWN), ("shared", genre_net.SHARED)):
        part = keras.Model(model.input, model.get_layer(name).output)
        logits[:, rows] = part.predict(windows[..., None], verbose=0)[:, 0, 0]
    np.testing.assert_array_equal(logits.argmax(axis=1), labels)
    others = np.delete(logits, taught, axis=1)
    assert others.max() == genre_net.NEVER
