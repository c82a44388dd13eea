"""The linear model of genres begins with the tags, learns from songs, and is scored by song and over genres."""

from __future__ import annotations

import numpy as np
import pytest

from training.genre.collection import LABELS
from training.genre.head import TAGS, HeadConfig, Windows, balanced, fit, known, prior_kernel
from training.genre.sound_scores import Songs, calibration_error, intervals, score, songs_of

ROCK, JAZZ, FOLK = (LABELS.index(label) for label in ("Rock", "Jazz", "Folk"))


def _windows(count: int = 120) -> Windows:
    """Return windows whose first feature tells rock from jazz; the tags are noise."""
    rng = np.random.default_rng(0)
    label = np.where(np.arange(count) % 3 == 0, JAZZ, ROCK)
    features = rng.normal(size=(count, 4 + len(TAGS))).astype(np.float32)
    features[:, 0] += np.where(label == JAZZ, 3.0, -3.0)
    source = np.where(np.arange(count) % 2 == 0, "gtzan", "fma_small")
    return Windows(features, label, source, np.array([f"song {index // 4}" for index in range(count)]))


def test_a_shrunk_model_says_what_the_tags_say() -> None:
    model = fit(_windows(), HeadConfig(shrink=1e6))
    features = np.zeros((2, 4 + len(TAGS)), np.float32)
    features[0, 4 + TAGS.index("blues")] = features[1, 4 + TAGS.index("heavy metal")] = 20.0

    change = model.logits(features) - model.logits(np.zeros((1, 4 + len(TAGS)), np.float32))

    assert [LABELS[row.argmax()] for row in change] == ["Blues", "Metal"]


def test_a_free_model_learns_from_the_songs() -> None:
    windows = _windows()
    found = fit(windows, HeadConfig(shrink=0.01, tags=0.0)).logits(windows.features)

    assert (found.argmax(axis=1) == windows.label).mean() > 0.95


def test_halfway_between_two_models_lies_the_mean_of_what_they_say() -> None:
    windows = _windows()
    one, other = fit(windows, HeadConfig(smooth=0.0, steps=5)), fit(windows, HeadConfig(smooth=0.4, steps=5))

    found = one.halfway(other).logits(windows.features)

    np.testing.assert_allclose(found, 0.5 * (one.logits(windows.features) + other.logits(windows.features)), atol=1e-4)
    assert np.abs(found - one.logits(windows.features)).max() > 0.01


def test_every_label_source_and_song_counts_the_same() -> None:
    windows = _windows()
    weights = balanced(windows)

    assert weights[windows.label == ROCK].sum() == pytest.approx(weights[windows.label == JAZZ].sum())
    assert weights.mean() == pytest.approx(1.0)


def test_a_source_does_not_deny_what_it_cannot_know() -> None:
    windows = _windows()
    mask = known(windows)

    assert mask[windows.source == "gtzan", FOLK].max() == 0.0
    assert mask[windows.source == "fma_small", FOLK].min() == 1.0
    assert (mask[np.arange(len(mask)), windows.label] == 1.0).all()


def test_no_tag_counts_for_reggae() -> None:
    kernel = prior_kernel(len(TAGS), 3.0)

    assert kernel[:, LABELS.index("Reggae")].max() == 0.0
    np.testing.assert_allclose(np.delete(kernel.sum(axis=0), LABELS.index("Reggae")), 3.0)


def _songs() -> Songs:
    label = np.array([ROCK] * 8 + [JAZZ] * 2)
    posterior = np.zeros((10, len(LABELS)))
    posterior[:, ROCK] = 4.0  # everything is called rock
    posterior[8:, JAZZ] = 3.0
    return Songs(posterior, label)


def test_calling_everything_one_genre_gains_nothing_over_genres() -> None:
    found = score(_songs())

    assert found.by_song == pytest.approx(0.8)
    assert found.genres == pytest.approx(0.5)
    assert found.first_two == pytest.approx(1.0)


def test_clips_of_one_song_share_one_vote() -> None:
    logits = np.zeros((4, len(LABELS)))
    logits[:3, ROCK], logits[3, JAZZ] = 1.0, 9.0
    songs = songs_of(
        logits, np.array([0, 0, 0, 1]), label=np.array([ROCK, ROCK]), song=np.array(["one song", "one song"])
    )

    assert len(songs.label) == 1
    assert songs.posterior[0].argmax() == JAZZ


def test_intervals_hold_the_score() -> None:
    low, high = intervals([_songs()])["by_song"]

    assert low <= 0.8 <= high


def test_calibration_error_is_zero_where_probabilities_are_true() -> None:
    assert calibration_error(np.full(10, 0.8), np.arange(10) < 8, weights=np.ones(10)) == pytest.approx(0.0)
    assert calibration_error(np.full(10, 0.8), np.arange(10) < 4, weights=np.ones(10)) == pytest.approx(0.4)
