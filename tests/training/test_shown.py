"""The genre as a listener gets it: songs share a vote, genres weigh alike, a clip that taught never counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stream_analyzer.errors import ConfigError
from stream_analyzer.types import Genre, Score
from tests.support.fakes import fake_model
from training.data.listening import Sound, load_process, read_sound
from training.data.songs import Song, find_label, list_songs, song_of
from training.genre.shown import Shown, calibration, counts, over_songs, score, see

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = ("Drum & Bass", "Electronic", "Hip-Hop", "Jazz", "Rock")


def clip(song: str, truth: str, end: str, p: float = 0.6, **more: Any) -> Shown:
    others = [label for label in LABELS if label != end]
    scores = ((end, p), *((label, (1.0 - p) / len(others)) for label in others))
    given: dict[str, Any] = {"soon": end, "share": float(end == truth), "scores": scores, "named": True}
    return Shown(song, truth, end=end, **(given | more))


def genre(time_s: float, label: str | None, p: float = 0.7, state: Any = "music") -> Genre:
    scores = (Score(label or "Rock", p), Score("Jazz", 1.0 - p))
    return Genre(time_s, label, p, state, 0.0, 0.9, scores, sure=p >= 0.5)


def test_clips_of_a_song_share_its_vote() -> None:
    clips = [clip("one", "Rock", "Rock"), *(clip("two", "Rock", "Jazz") for _ in range(9))]
    found = over_songs(clips, np.array([float(c.end == c.truth) for c in clips]))
    assert (found["by_song"], found["over_genres"]) == (0.5, 0.5)


def test_calling_everything_one_genre_gains_nothing_over_genres() -> None:
    clips = [
        *(clip(f"r{i}", "Rock", "Rock") for i in range(8)),
        clip("j", "Jazz", "Rock"),
        clip("h", "Hip-Hop", "Rock"),
    ]
    found = score(clips)["shown_at_end"]
    assert found["by_song"] == pytest.approx(0.8)
    assert found["over_genres"] == pytest.approx(1 / 3)
    low, high = found["by_song_95"]
    assert 0.4 <= low < 0.8 < high <= 1.0


def test_scores_of_what_was_shown() -> None:
    clips = [
        clip("a", "Rock", "Rock", soon="Jazz", share=0.25),
        clip("b", "Jazz", "Drum & Bass", scores=(("Drum & Bass", 0.5), ("Jazz", 0.4), ("Rock", 0.1)), named=False),
    ]
    found = score(clips)
    assert found["shown_after_10_s"]["by_song"] == 0.0
    assert found["shown_over_time"]["by_song"] == 0.125
    assert found["first_two"]["by_song"] == 1.0
    assert found["among_known"]["by_song"] == 1.0, "no song here is Drum & Bass: Jazz is the likeliest that can be"
    assert (found["named"], found["named_right"]) == (0.5, 1.0)
    assert found["recall"] == {"Jazz": "0 of 1", "Rock": "1 of 1"}
    assert found["log_loss"] == pytest.approx(-(np.log(0.6) + np.log(0.4)) / 2)


def test_the_calibration_error_of_few_clips_is_never_near_nothing() -> None:
    rng = np.random.default_rng(1)

    def honest(count: int) -> dict[str, Any]:
        chances = rng.uniform(0.3, 1.0, count)
        clips = [clip(f"{i}", "Rock" if rng.random() < p else "Electronic", "Rock", p=p) for i, p in enumerate(chances)]
        return calibration(clips)

    few, many = honest(30), honest(1000)
    assert few["ece_honest"] > 0.1
    assert many["ece_honest"] < 0.04
    assert few["ece"] < few["ece_honest_95"]
    assert many["ece"] < many["ece_honest_95"] < 0.06


def test_a_model_too_sure_of_itself_is_told_from_an_honest_one() -> None:
    found = calibration([clip(f"{i}", "Rock" if i % 2 else "Jazz", "Rock", p=0.9) for i in range(100)])
    assert found["ece"] == pytest.approx(0.4)
    assert found["ece_95"][0] < 0.4 < found["ece_95"][1]
    assert found["ece_honest_95"] < 0.1


def test_a_listener_sees_the_label_after_ten_seconds_and_at_the_end() -> None:
    genres = [genre(4.0, None, state="not_music"), genre(9.9, "Rock"), genre(10.1, "Jazz"), genre(30.0, "Jazz", 0.3)]
    found = see("s", "Jazz", genres)
    assert (found.soon, found.end, found.share, found.named) == ("Rock", "Jazz", 0.5, False)
    assert see("s", "Jazz", []).end == "", "a clip too short for a judgement shows nothing"


@pytest.mark.parametrize(
    ("path", "song"),
    [
        ("free_songs/rock_Name_c0.ogg", "free_songs/rock_Name"),
        ("radio2/jazz_jazz1_c12_b296ff.ogg", "radio2/jazz_jazz1"),
        ("gtzan/blues.00001.ogg", "gtzan/blues.00001"),
    ],
)
def test_songs_are_told_by_their_names(path: str, song: str) -> None:
    assert song_of(path) == song


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("hiphop", "Hip-Hop"),
        ("drum_and_bass", "Drum & Bass"),
        ("house", "Electronic"),
        ("punk-rock", "Rock"),
        ("experimental", ""),
        ("orchestral-soundtrack", ""),
    ],
)
def test_genres_of_sources_become_labels(name: str, label: str) -> None:
    assert find_label(name, LABELS) == label


def test_what_taught_the_model_never_counts() -> None:
    manifest = replace(fake_model("genre").manifest, training={"heard": {"gtzan": ["train"], "radio2": ["valid"]}})
    songs = [Song(Path("x.ogg"), source, "x", "jazz", "valid") for source in ("gtzan", "radio2", "free_songs")]
    assert [counts(song, manifest, split="valid") for song in songs] == [True, False, True]


def test_the_manifest_of_sounds_gives_songs(data: Path) -> None:
    songs = list_songs(data)
    assert {song.source for song in songs} == {"gtzan"}, "of the sources whose genres are known"
    assert all(song.path.exists() for song in songs)


def through(folder: Path, lines: Sequence[str]) -> Path:
    script = folder / "spoil.py"
    script.write_text("\n".join(lines) + "\n")
    return script


def test_sounds_go_through_a_script(data: Path, tmp_path: Path) -> None:
    path = list_songs(data)[0].path
    script = through(tmp_path, ["def process(samples, rate, rng):", "    return samples.mean(axis=1) * rng.uniform()"])
    plain, _ = read_sound(Sound(path, least_s=3.0))
    first, second = (read_sound(Sound(path, least_s=3.0, through=script))[0] for _ in range(2))
    assert first.shape == (len(plain), 1)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first).max() < np.abs(plain).max()


def test_a_script_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Python file"):
        load_process(tmp_path / "missing.py")
    with pytest.raises(ConfigError, match="has no process"):
        load_process(through(tmp_path, ["x = 1"]))
