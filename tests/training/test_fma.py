"""The real Free Music Archive's layout -> shards -> training; broken MP3s, interruption, memory, genres, tempo."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec.config
import numpy as np
import psutil
import pytest

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import Place, near
from tests.support.sftp import PASSWORD, USER, sftp
from tests.training import mini_fma
from tests.training.mini_fma import SONGS, Song
from training.data import prepare_fma, sources
from training.data.dataset import FrameSet, load_frame_set, to_bytes
from training.data.fma import STUDY_GENRES, Track, read_genres, read_tempi, read_tracks
from training.data.prepare_fma import Settings
from training.task import load_config
from training.tasks import make_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.types import U8

pytestmark = [pytest.mark.train, pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg missing")]

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
KEPT = {2, 5, 10, 140, 1482, 3001, 3002, 3003, 3004, 3005, 3007}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return mini_fma.files(tmp_path_factory.mktemp("mp3") / "kinds")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, kinds: dict[str, Path]) -> Path:
    """Return a folder with ``fma_large`` and ``fma_metadata`` as they are unpacked."""
    folder = tmp_path_factory.mktemp("archive")
    mini_fma.write_audio(folder / "fma_large", SONGS, kinds)
    mini_fma.write_metadata(folder / "fma_metadata", SONGS)
    return folder


@pytest.fixture(scope="module")
def out(archive: Path) -> Path:
    """Return where the whole archive was prepared with the first 8 genres, once for all tests."""
    prepare(archive, archive / "out")
    return archive / "out"


def prepare(archive: Path | str, out: Path | str, *options: str, audio: str = "fma_large", code: int = 0) -> str:
    command = [sys.executable, "-m", "training.prepare", "fma", "--audio", f"{archive}/{audio}"]
    command += ["--metadata", f"{archive}/fma_metadata", "--out", str(out), "--workers", "2", *options]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def clips(frames: FrameSet) -> dict[int, int]:
    return {int(name): row for row, name in enumerate(frames.name)}


def test_frames_are_those_of_the_service(archive: Path, out: Path) -> None:
    frames = load_frame_set(out / "fma-8.npz")
    assert frames.frames_per_second == 12.5
    for number in (2, 10, 140):
        whole = sources.audio_log_mel(archive / "fma_large" / f"000/{number:06d}.mp3")[::4]
        stored = frames.levels(clips(frames)[number])
        assert 368 <= len(stored) <= len(whole)
        difference = stored.astype(int) - to_bytes(whole[: len(stored)])
        assert np.abs(difference).max() <= 1
        assert np.abs(difference).mean() < 0.01


def test_set_has_what_the_tables_say(out: Path) -> None:
    frames = load_frame_set(out / "fma-8.npz")
    rows = clips(frames)
    assert set(frames.dataset) == {"fma-small"}
    assert dict(zip(frames.name, frames.split, strict=True)) == {
        f"{song.number:06d}": {"training": "train", "validation": "valid", "test": "test"}[song.split]
        for song in SONGS
        if song.number in rows
    }
    assert frames.tags[rows[3001]] == "Rock|Punk"
    assert frames.group[rows[2]] == frames.group[rows[5]] == "artist 1"
    assert frames.group[rows[1482]] == "album 2"  # without an artist
    assert frames.bpm[rows[2]] == pytest.approx(165.922)
    assert np.isnan(frames.bpm[rows[10]])
    part = frames.take(np.array([rows[10], rows[2]]))
    np.testing.assert_array_equal(part.levels(1), frames.levels(rows[2]))
    np.testing.assert_array_equal(np.concatenate([part.levels(1)]), np.asarray(frames.level)[: len(part.levels(1))])


@pytest.mark.parametrize(
    ("genres", "expected"),
    [
        ("8", {2: "Hip-Hop", 10: "Pop", 140: "Folk", 1482: "International", 3001: "Rock", 3002: "Rock",
               3003: "Electronic", 3007: "Experimental", 5: "Hip-Hop"}),
        ("16", {2: "Hip-Hop", 10: "Pop", 140: "Folk", 1482: "International", 3001: "Rock", 3002: "Rock",
                3003: "Electronic", 3005: "Country", 3007: "Experimental", 5: "Hip-Hop"}),
        ("study", {2: "Hip-Hop", 10: "Pop", 140: "Folk", 1482: "International", 3001: "Punk", 3003: "Electronic",
                   5: "Hip-Hop"}),
    ],
)  # fmt: skip
def test_each_choice_of_genres_labels_the_same_shards(
    archive: Path, out: Path, genres: str, expected: dict[int, str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (out / "fma").glob("*.u8")}
    text = prepare(archive, out, "--genres", genres)
    assert {path: path.stat().st_mtime_ns for path in (out / "fma").glob("*.u8")} == before
    frames = load_frame_set(out / f"fma-{genres}.npz")
    assert {number: frames.label[row] for number, row in clips(frames).items()} == expected
    assert f"fma-{genres}: {len(expected)} clips of {len(SONGS)} songs" in text
    assert f"{len(KEPT) - len(expected)} songs without exactly one of these genres left out" in text


def test_songs_of_several_genres_can_be_kept(archive: Path, out: Path) -> None:
    prepare(archive, out, "--unlabelled", "--name", "all")
    frames = load_frame_set(out / "all.npz")
    assert set(clips(frames)) == KEPT
    assert (frames.label[clips(frames)[3004]], frames.tags[clips(frames)[3004]]) == ("", "Electronic|Rock")


def track(*genres: int) -> Track:
    return Track(number=1, split="train", genres=genres, group="", duration_s=30.0)


def test_study_genres_lie_on_several_levels(archive: Path) -> None:
    tree = read_genres(Place(archive / "fma_metadata"))
    study = tree.chosen("study")
    assert len(STUDY_GENRES) == len(study) == 23
    assert tree.label(track(109), study) == "Post-Punk"
    assert tree.label(track(109, 25, 12), study) == "Post-Punk"  # what lies above it adds nothing
    assert tree.label(track(297), study) == "Electronic"
    assert tree.label(track(301, 297), study) == "Chiptune"
    assert tree.label(track(18), study) == "Soundtrack"
    assert tree.label(track(1235), study) == ""  # Instrumental is none of them
    assert tree.label(track(12, 9), study) == ""  # nor is Country, which this song is too
    assert tree.label(track(12, 999), study) == "Rock"
    assert tree.label(track(), study) == ""
    assert len(tree.tops()) == 16
    assert tree.label(track(25, 31), tree.tops()) == "Rock"


def test_broken_files_are_listed_with_their_reason(out: Path) -> None:
    with (out / "fma" / "broken.csv").open(newline="") as file:
        rows = {row["path"]: (row["reason"], float(row["kept_s"])) for row in csv.DictReader(file)}
    reasons = {
        "000/000005.mp3": "breaks off", "000/000141.mp3": "6.0 s of 30.0 s", "003/003006.mp3": "not recognised",
        "003/003007.mp3": "breaks off", "098/098565.mp3": "lasts 1.5 s", "099/099134.mp3": "empty file",
        "108/108925.mp3": "No such file",
    }  # fmt: skip
    assert set(rows) == set(reasons)
    assert all(reasons[path] in reason for path, (reason, _) in rows.items())
    assert {path for path, (_, kept_s) in rows.items() if kept_s} == {"000/000005.mp3", "003/003007.mp3"}
    assert 12.0 < rows["000/000005.mp3"][1] < 16.0


def test_bar_and_summary_name_the_counts(archive: Path, tmp_path: Path) -> None:
    text = prepare(archive, tmp_path, "--subset", "small")
    assert "12/12" in text
    assert "5 MP3s skipped, 2 shorter than they should be" in text
    again = prepare(archive, tmp_path, "--subset", "small")
    assert "12/12" in again


def test_archive_and_shards_may_lie_on_a_server(
    archive: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENT, "FSSPEC_SFTP_PASSWORD", PASSWORD)
    monkeypatch.setitem(fsspec.config.conf, "sftp", {"password": PASSWORD})
    monkeypatch.chdir(tmp_path)
    shards = archive / "far" / "fma"
    with sftp(archive) as port:
        place = f"sftp://{USER}@127.0.0.1:{port}"
        prepare(place, f"{place}/far")
        before = {path: path.stat().st_mtime_ns for path in shards.glob("0*")}
        prepare(place, f"{place}/far")
        copy = near(f"{place}/far")
        far, here = load_frame_set(copy / "fma-8.npz"), load_frame_set(out / "fma-8.npz")
        assert near(f"{place}/far") == copy
        with pytest.raises(ConfigError, match="nowhere: there is nothing"):
            near(f"{place}/nowhere")
    assert {path: path.stat().st_mtime_ns for path in shards.glob("0*")} == before, "nothing was done again"
    assert not list(shards.glob("*.part"))
    assert (shards / "broken.csv").read_bytes() == (out / "fma" / "broken.csv").read_bytes()
    np.testing.assert_array_equal(far.name, here.name)
    np.testing.assert_array_equal(np.asarray(far.level), np.asarray(here.level))


def test_what_was_missing_is_heard_when_it_is_there(archive: Path, kinds: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(archive / "fma_large", tmp_path / "fma_large")
    shutil.copytree(archive / "fma_metadata", tmp_path / "fma_metadata")
    assert "5 MP3s skipped" in prepare(tmp_path, tmp_path / "out")
    shutil.copy(kinds["mono"], tmp_path / "fma_large/108/108925.mp3")
    assert "4 MP3s skipped" in prepare(tmp_path, tmp_path / "out")


RUN = """
import sys
from stream_analyzer.library.places import Place
from training.data.prepare_fma import Settings, prepare
from training.data.work import Crew
audio, metadata, out = map(Place, sys.argv[1:])
settings, crew = Settings("small", shard_songs=3), Crew(workers=1)
print(prepare(audio, metadata, out, settings=settings, genres="8", name="fma-8", crew=crew, unlabelled=False))
"""


def test_killed_run_goes_on_where_it_was(kinds: dict[str, Path], tmp_path: Path) -> None:
    songs = tuple(Song(number, (12 if number % 2 else 21,), artist=number) for number in range(1, 61))
    mini_fma.write_audio(tmp_path / "audio", songs, kinds)
    mini_fma.write_metadata(tmp_path / "metadata", songs)

    def start(out: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RUN, *(str(tmp_path / name) for name in ("audio", "metadata", out))]
        return subprocess.Popen(command, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    process = start("out")
    shards = tmp_path / "out" / "fma"
    deadline = time.monotonic() + 60.0
    while not (shards / "00001.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30.0)
    outliving = psutil.wait_procs(workers, timeout=30.0)[1]
    for worker in outliving:
        worker.kill()
    process.communicate()
    assert not outliving, "workers outlive their parent"
    complete = {path: path.stat().st_mtime_ns for path in shards.glob("*.json") if path.name != "settings.json"}
    assert 2 <= len(complete) < 20

    text = start("out").communicate(timeout=120)[0]
    assert "60 clips of 60 songs" in text
    assert {path: path.stat().st_mtime_ns for path in complete} == complete
    assert not list(shards.glob("*.part"))
    start("whole").communicate(timeout=120)
    found, whole = (load_frame_set(tmp_path / name / "fma-8.npz") for name in ("out", "whole"))
    np.testing.assert_array_equal(np.asarray(found.level), np.asarray(whole.level))
    np.testing.assert_array_equal(found.name, whole.name)


def test_shard_cut_off_is_written_anew(archive: Path, tmp_path: Path) -> None:
    settings, tracks = Settings("large"), read_tracks(Place(archive / "fma_metadata"), "large")[:2]
    prepare_fma.write_shard(
        (0, tuple(tracks)), folder=Place(tmp_path), audio=Place(archive / "fma_large"), settings=settings
    )
    assert prepare_fma.is_complete(Place(tmp_path), 0, Place(archive / "fma_large"))
    os.truncate(tmp_path / "00000.u8", 1000)
    assert not prepare_fma.is_complete(Place(tmp_path), 0, Place(archive / "fma_large"))


def test_one_clip_at_a_time_is_in_memory(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hear: Callable[[str, Settings], tuple[U8, str]] = prepare_fma.hear
    alive: list[weakref.ref[Any]] = []
    most = 0

    def counted(path: str, settings: Settings) -> tuple[U8, str]:
        nonlocal most
        levels, problem = hear(path, settings)
        alive.append(weakref.ref(levels))
        most = max(most, sum(reference() is not None for reference in alive))
        return levels, problem

    monkeypatch.setattr(prepare_fma, "hear", counted)
    tracks = read_tracks(Place(archive / "fma_metadata"), "large")
    shard = (0, tuple(tracks))
    prepare_fma.write_shard(
        shard, folder=Place(tmp_path), audio=Place(archive / "fma_large"), settings=Settings("large")
    )
    assert len(alive) == len(SONGS)
    assert most <= 2  # the one just heard, and the one before it until its name is taken


def test_reading_maps_one_clip_and_keeps_no_file_open(out: Path) -> None:
    frames = load_frame_set(out / "fma-8.npz")
    before = psutil.Process().num_fds()
    levels = [frames.levels(row) for row in range(len(frames))]
    assert all(isinstance(level.base, np.memmap) or isinstance(level, np.memmap) for level in levels)
    del levels
    assert psutil.Process().num_fds() == before


def test_middle_of_whole_songs_is_taken(kinds: dict[str, Path], tmp_path: Path) -> None:
    loud = tmp_path / "song.mp3"
    shape = "volume='if(between(t,20,40),1,0.001)':eval=frame"
    mini_fma.encode(loud, 60.0, "-af", shape, "-ac", "1")
    levels, problem = prepare_fma.hear(str(loud), Settings("full", seconds=20))
    first, _ = prepare_fma.hear(str(loud), Settings("large", seconds=20))
    assert not problem
    assert levels[5:-5].mean() > first[5:-5].mean() + 60.0
    assert prepare_fma.hear(str(kinds["stereo"]), Settings("full"))[1] == ""


def test_training_takes_the_set(data: Path, archive: Path, tmp_path: Path) -> None:
    for name, read in (("gtzan", sources.read_gtzan), ("audio", sources.read_audio)):
        read(data).save(tmp_path / f"{name}.npz")
    prepare(archive, tmp_path, "--name", "fma-small")
    task = make_task(load_config(ROOT / "training/configs/genre.toml", []), tmp_path)
    batch = task.batch(np.random.default_rng(0), 32)
    assert batch.windows.shape == (32, task.input.frames, SPEC.n_mels)
    assert np.isfinite(batch.windows).all()


def test_wrong_input_is_told_in_one_line(archive: Path, out: Path, tmp_path: Path) -> None:
    metadata = archive / "fma_metadata"
    with pytest.raises(ConfigError, match="give the folder of fma_metadata"):
        read_tracks(Place(tmp_path), "small")
    (tmp_path / "tracks.csv").write_text("track_id,genre\n2,Rock\n")
    with pytest.raises(ConfigError, match="needs the columns track_id, set/split"):
        read_tracks(Place(tmp_path), "small")
    (tmp_path / "tracks.csv").write_text("")
    with pytest.raises(ConfigError, match="is not FMA's"):
        read_tracks(Place(tmp_path), "small")
    text = (metadata / "tracks.csv").read_text().replace("[21]", "Hip-Hop")
    (tmp_path / "tracks.csv").write_text(text)
    with pytest.raises(ConfigError, match="track '2': JSONDecodeError"):
        read_tracks(Place(tmp_path), "small")
    assert read_tempi(Place(tmp_path)) == {}
    assert "begun with" in prepare(archive, out, "--every", "1", code=2)
    assert "--seconds" in prepare(archive, tmp_path, "--seconds", "5", code=2)
    assert "--every" in prepare(archive, tmp_path, "--every", "0", code=2)
    (archive / "elsewhere").mkdir()
    assert "none of the 12 MP3s" in prepare(archive, tmp_path, "--subset", "small", audio="elsewhere", code=2)


def test_missing_shard_is_an_error_of_reading_not_of_loading(archive: Path, tmp_path: Path) -> None:
    prepare(archive, tmp_path, "--subset", "small")
    (tmp_path / "fma" / "00000.u8").unlink()
    frames = load_frame_set(tmp_path / "fma-8.npz")
    with pytest.raises(ConfigError, match="prepare fma"):
        frames.levels(0)
    assert len(replace(frames, bpm=frames.bpm)) == 7
