"""The filters that describe a window answer to what they are named after, and the network's parts do what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from training.data.genres import LABELS
from training.genre import net as genre_net
from training.genre import textures
from training.nets import blocks

if TYPE_CHECKING:
    from stream_analyzer.types import F32

pytestmark = pytest.mark.train

FRAMES, BANDS = 126, 128


def small_net() -> keras.Model:
    return genre_net.genre_net(
        frames=FRAMES, bands=BANDS, size=20, depth=17.0, units=4, dropout=0.0, shrink=0.1, own_shrink=0.1
    )


def test_modulation_filters_answer_to_their_own_rate() -> None:
    filters = textures.modulation_filters()
    time_s = np.arange(400) / textures.FRAMES_PER_SECOND
    for column, rate_hz in enumerate(textures.RATES_HZ):
        wave = np.cos(2.0 * np.pi * rate_hz * time_s)
        answer = [np.abs(np.convolve(wave, kernel, "valid")).mean() for kernel in filters.T]
        assert int(np.argmax(answer)) == column
    np.testing.assert_allclose(filters.sum(axis=0), 0.0, atol=1e-6)


def test_modulation_bank_is_the_convolution_at_every_third_frame() -> None:
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


@pytest.mark.parametrize("column", range(len(textures.SPACINGS_BANDS)))
def test_ripples_answer_to_partials_so_many_bands_apart_and_where_they_are(column: int) -> None:
    comb = np.cos(2.0 * np.pi * np.arange(BANDS) / textures.SPACINGS_BANDS[column] + 1.0)
    comb[BANDS // 2 :] = 0.0
    strength = np.abs(comb @ textures.ripples(BANDS)[0, :, 0]) @ textures.regions(BANDS)[0, 0]
    by_region = strength.reshape(textures.REGIONS, -1)
    assert (by_region[2:6].argmax(axis=1) == column).all()
    assert by_region[11:, column].max() < 0.01 * by_region[2:6, column].min()
    flat = np.ones(BANDS) @ textures.ripples(BANDS)[0, :, 0]
    np.testing.assert_allclose(flat, 0.0, atol=1e-5)


def test_description_is_standardised_and_clipped_and_blind_to_gain() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(-8.0, 3.0, (64, FRAMES, BANDS)) + rng.normal(0.0, 2.0, (64, 1, BANDS))
    windows: F32 = noise.astype(np.float32)
    model = small_net()
    genre_net.standardise(model, windows)
    clipped = next(layer for layer in model.layers if isinstance(layer, blocks.Clip))
    described = keras.Model(model.input, clipped.output)
    values = described.predict(windows[..., None], verbose=0)
    np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=0.1)
    np.testing.assert_allclose(np.median(values.std(axis=0)), 1.0, atol=0.1)
    assert np.abs(values).max() <= genre_net.STANDARD_DEVIATIONS
    louder = described.predict(windows[..., None] + 3.0, verbose=0)
    np.testing.assert_allclose(louder, values, atol=2e-3)
    with_a_click = windows.copy()
    with_a_click[0, 60, :] = 0.0
    assert np.abs(described.predict(with_a_click[..., None], verbose=0)).max() == genre_net.STANDARD_DEVIATIONS


def test_description_does_not_learn_and_the_larger_of_two_logits_counts() -> None:
    model = small_net()
    windows = tf.constant(np.random.default_rng(0).normal(-8.0, 3.0, (4, FRAMES, BANDS, 1)).astype(np.float32))
    learning = {weight.shape[-2] for weight in model.trainable_weights if len(weight.shape) == 4}
    assert learning == {4, values_of(model)}  # the hidden layer's units, and what it and the linear parts see
    before = model(windows).numpy()
    shared = next(
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.trainable and layer.filters == len(genre_net.SHARED)
    )
    kernel, bias = shared.get_weights()
    shared.set_weights([kernel, bias - 100.0])
    low = model(windows).numpy()
    shared.set_weights([kernel, bias + 100.0])
    high = model(windows).numpy()
    rest = [index for index in range(20) if index not in genre_net.SHARED]
    np.testing.assert_allclose(low[:, rest], before[:, rest], atol=1e-4)
    assert (high[:, genre_net.SHARED] > low[:, genre_net.SHARED] + 50.0).all()
    assert (low <= before + 1e-4).all()
    assert [LABELS[index] for index in genre_net.SHARED] == ["Hip-Hop", "Pop", "Rock"]


def values_of(model: keras.Model) -> int:
    clipped = next(layer for layer in model.layers if isinstance(layer, blocks.Clip))
    return int(clipped.output.shape[-1])
