"""Partial labels, augmentation and batches of the genre task."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.manifest import ModelInput
from stream_analyzer.errors import ConfigError
from training.data import sources
from training.data.genres import (
    KNOWN,
    LABELS,
    SUB_GENRES,
    known_mask,
    label_index,
    sub_genre_flags,
    tagged_index,
    taught_mask,
)
from training.genre import augment
from training.genre.augment import Augmentation
from training.genre.data import Clips, GenreWindows, Mix, held_out
from training.genre.scores import calibration_error, scores, truth_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

WINDOW = ModelInput(frames=126, every=4, stride=50, min_frames=38)


def test_labels_are_the_union_of_what_the_sets_know() -> None:
    assert set(LABELS) == {label for known in KNOWN.values() for label in known}
    assert label_index("hiphop") == label_index("Hip-Hop") == LABELS.index("Hip-Hop")
    assert label_index("negative_rain") == -1
    assert known_mask("gtzan").sum() == 10
    assert known_mask("fma-small").sum() == 8


def test_smoothed_target_stays_within_the_mask(data: Path) -> None:
    target = Clips(sources.read_gtzan(data), every=4).target(0, smoothing=0.1)
    assert target.sum() == pytest.approx(1.0)
    assert target.argmax() == label_index("blues")
    assert not target[known_mask("gtzan") == 0.0].any()


def test_tags_teach_what_the_classes_do_not_tell(data: Path) -> None:
    assert tagged_index("Rock|Thrash") == label_index("metal")
    assert tagged_index("Rock|Punk") == -1
    frames = sources.read_fma_small(data)
    rock, metal = label_index("rock"), label_index("metal")
    plain = Clips(frames, every=4)
    assert plain.mask[9, metal] == 1.0  # an untagged track is known not to be metal
    assert plain.target(9, smoothing=0.0)[rock] == 1.0
    tagged = Clips(replace(frames, tags=np.full(len(frames), "Rock|Metal")), every=4).target(9, smoothing=0.0)
    assert (tagged[rock], tagged[metal]) == (0.5, 0.5)
    assert taught_mask("gtzan").sum() == known_mask("gtzan").sum()


def test_sub_genres_have_a_genre_and_tags_that_mean_them() -> None:
    assert {parent for parent, _ in SUB_GENRES.values()} <= set(LABELS)
    assert not set(SUB_GENRES) & set(LABELS)
    flags = sub_genre_flags("Electronic|Jungle|House")
    assert [label for label, flag in zip(SUB_GENRES, flags, strict=True) if flag] == ["House", "Drum & Bass"]


def test_noise_tracks_say_nothing_about_music(data: Path) -> None:
    assert not Clips(sources.read_fma_small(data), every=4).music_known.any()


@pytest.fixture(scope="module")
def windows(data: Path, tmp_path_factory: pytest.TempPathFactory) -> GenreWindows:
    folder = tmp_path_factory.mktemp("prepared")
    sources.read_gtzan(data).save(folder / "gtzan.npz")
    sources.read_fma_small(data).save(folder / "fma-small.npz")
    sources.read_audio(data).save(folder / "audio.npz")
    return GenreWindows(folder, window=WINDOW, mix=Mix(not_music=0.3), strength=Augmentation())


def test_batch_is_a_function_of_its_seed(windows: GenreWindows) -> None:
    first, again = (windows.batch(np.random.default_rng([1, 7]), 16) for _ in range(2))
    np.testing.assert_array_equal(first.windows, again.windows)
    for key, value in first.targets.items():
        np.testing.assert_array_equal(value, again.targets[key])


def test_batch_keeps_labels_within_masks_and_sums_to_one(windows: GenreWindows) -> None:
    batch = windows.batch(np.random.default_rng(3), 64)
    label, mask, music = (batch.targets[key] for key in ("label", "mask", "music"))
    assert batch.windows.shape == (64, 126, 128)
    assert batch.windows.min() >= SPEC.log_floor - 1e-4
    assert np.isfinite(batch.windows).all()
    np.testing.assert_allclose(label.sum(axis=(1, 2)), music, atol=1e-5)
    assert not (label * (1 - mask)).any()
    assert 0.5 < music.mean() < 0.9


def test_batch_teaches_sub_genres_by_fma_alone(windows: GenreWindows) -> None:
    batch = windows.batch(np.random.default_rng(4), 64)
    flags, weight = batch.targets["sub_genres"], batch.targets["sub_weight"]
    noise = list(SUB_GENRES).index("Noise")
    assert set(weight) == {0.0, 1.0}
    assert not np.delete(flags, noise, axis=1).any()
    np.testing.assert_array_equal(flags[weight > 0.0, noise], 1.0)  # each of the tiny set's tracks is noise
    assert not weight[batch.targets["music"] == 0.0].any()


def test_validation_clips_never_train(windows: GenreWindows, data: Path) -> None:
    audio = sources.read_audio(data)
    kept = set(audio.name[held_out(audio)])
    assert not kept & set(windows._other._frames.name)
    assert set(windows._real._frames.split) == {"train"}
    assert set(windows._gtzan._frames.split) == set(windows._fma._frames.split) == {"train"}


def test_cut_shifts_pitch_and_stretches_within_bounds() -> None:
    level = np.zeros((387, 128), np.uint8)
    level[:, 60] = 200
    strength = Augmentation(pitch=0.1, stretch=0.15)
    found = [augment.cut(level, frames=126, strength=strength, rng=np.random.default_rng(k)) for k in range(20)]
    bands = {int(np.median(window.argmax(axis=1))) for window in found}
    assert {window.shape for window in found} == {(126, 128)}
    assert len(bands) > 3
    assert all(abs(band - 60) <= 5 for band in bands)


def test_columns_are_spread_linearly_between_their_centres() -> None:
    columns = np.array([[0.0], [3.0], [6.0]], np.float32)
    np.testing.assert_allclose(sources.spread_columns(columns, 3)[:, 0], [0, 0, 1, 2, 3, 4, 5, 6, 6], atol=1e-6)


def test_detail_moves_between_columns_and_leaves_them_alone() -> None:
    rng = np.random.default_rng(0)
    window, other = augment.slow(rng.normal(size=(126, 128)).astype(np.float32)), rng.normal(size=(126, 128))
    found = augment.add_detail(window.copy(), other.astype(np.float32))
    fast = np.abs(np.diff(found, axis=0)).mean()
    assert fast > 2.0 * np.abs(np.diff(window, axis=0)).mean()
    assert np.corrcoef(augment.slow(found)[:, 3], augment.slow(window)[:, 3])[0, 1] > 0.9


def test_partial_fill_leaves_the_newest_frames() -> None:
    strength = Augmentation(partial_share=1.0)
    window = np.zeros((126, 128), np.float32)
    filled = augment.fill_partly(window, min_frames=38, strength=strength, rng=np.random.default_rng(0))
    empty = int((filled[:, 0] == np.float32(SPEC.log_floor)).sum())
    assert 0 < empty <= 126 - 38
    assert not filled[empty:].any()


def test_calibration_error_of_known_cases() -> None:
    sure = np.array([[0.95, 0.05]] * 20, np.float32)
    assert calibration_error(sure, np.array([0] * 19 + [1])) == pytest.approx(0.0, abs=1e-6)
    assert calibration_error(sure, np.array([1] * 20)) == pytest.approx(0.95)


def test_foreign_genre_is_refused(data: Path) -> None:
    frames = sources.read_gtzan(data)
    assert truth_of(frames)[0] == "gtzan"
    with pytest.raises(ConfigError, match="none of its labels: folk, zouk"):
        truth_of(replace(frames, label=np.array(["folk", "zouk"] * 6)))


def test_scores_ignore_labels_the_set_cannot_know() -> None:
    logits = np.zeros((2, len(LABELS)), np.float32)
    logits[:, label_index("Electronic")] = 9.0
    logits[:, label_index("Jazz")] = 5.0
    result = scores([logits], np.array([label_index("jazz")]), dataset="gtzan", stride=1, temperature=1.0)
    assert (result["clip_accuracy"], result["window_accuracy"], result["windows"]) == (1.0, 1.0, 2)
    assert result["recall"] == {"Jazz": 1.0}
