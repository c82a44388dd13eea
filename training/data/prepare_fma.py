"""The Free Music Archive as MP3s -> shards of log-mel frames, in parallel, resumable, one clip at a time in memory.

DIR/fma/00000.u8 ... hold frames, 00000.json ... what is in them; DIR/NAME.npz is the index that `load_frame_set` reads.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.resample import Resampler, mix
from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.library.places import Place, brought
from stream_analyzer.sound.files import look_at, read_blocks
from training.data.dataset import FrameSet, to_bytes
from training.data.fma import GenreTree, Track, read_genres, read_tempi, read_tracks
from training.data.shards import Shards, shard_name

if TYPE_CHECKING:
    from stream_analyzer.types import U8
    from training.data.dataset import Strings
    from training.data.work import Crew

# The genre model's window of 10 s, stretched by a tenth, and a little room to move in.
SHORTEST_S = 12.0
# Clips of the archive are up to 0.1 s shorter than they should be.
TOLERANCE_S = 1.0
DATASETS = {"8": "fma-small", "16": "fma-16", "study": "fma-study"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the shards depend on: which songs, how many seconds of each, every how many frames of the service."""

    subset: str
    seconds: int = 30
    every: int = 4
    shard_songs: int = 128

    def __post_init__(self) -> None:
        """Refuse what leaves nothing to learn from."""
        if self.seconds <= SHORTEST_S or self.every < 1:
            msg = f"--seconds {self.seconds} must be above {SHORTEST_S:.0f}, --every {self.every} at least 1"
            raise ConfigError(msg)

    @property
    def whole(self) -> bool:
        """Whether the archive holds whole songs, of which the middle is taken, as it was for its clips."""
        return self.subset == "full"

    @property
    def frames_per_second(self) -> float:
        """Rate of the frames that are stored."""
        return SPEC.frames_per_second / self.every


@dataclass(frozen=True, slots=True)
class Archive:
    """What the metadata says beside the list of tracks."""

    genres: GenreTree
    tempi: dict[int, float]


@dataclass(frozen=True, slots=True)
class Broken:
    """An MP3 that is missing, unreadable or too short, or (``kept_s`` above 0) shorter than it should be."""

    path: str
    reason: str
    kept_s: float


def hear(path: str, settings: Settings) -> tuple[U8, str]:
    """Return an MP3 as stored frames [n, 128], and what is wrong with it ("" if nothing).

    Decoded second by second through the service's own mixer, resampler and features. Its every n-th frame is what
    features with an n times larger hop give.
    """
    log_mel = StreamingLogMel(replace(SPEC, hop=SPEC.hop * settings.every))
    parts = [np.empty((0, SPEC.n_mels), np.uint8)]
    problem = ""
    try:
        with brought(path) as file:
            found = look_at(file)
            resampler = Resampler(found.rate_hz, SPEC.sample_rate_hz)
            first = max(0, int((found.length_s - settings.seconds) / 2)) if settings.whole else 0
            for block in islice(read_blocks(file, block_s=1.0), first, first + settings.seconds):
                parts.append(to_bytes(log_mel.push(resampler.push(mix(block.samples)))))  # noqa: PERF401 - kept on errors
    except AudioError as error:
        problem = str(error).removeprefix(f"{path}: ").split(";")[0]
    return np.concatenate(parts), problem


def judge(levels: U8, problem: str, track: Track, settings: Settings) -> Broken | None:
    """Tell whether ``levels``, all that could be heard of ``track``, are less than there should be."""
    heard_s = len(levels) / settings.frames_per_second
    wanted_s = min(float(settings.seconds), track.duration_s) - TOLERANCE_S
    if heard_s < SHORTEST_S:
        problem = problem or f"lasts {heard_s:.1f} s, {SHORTEST_S:.0f} s are needed"
        return Broken(track.path, problem, 0.0)
    if problem or heard_s < wanted_s:
        return Broken(track.path, problem or "ends early", round(heard_s, 1))
    return None


def write_shard(shard: tuple[int, tuple[Track, ...]], *, folder: Place, audio: Place, settings: Settings) -> None:
    """Decode the tracks of a numbered shard one after another. Its list is written last: then the shard is complete."""
    number, tracks = shard
    numbers, lengths, broken = [], [], []
    with folder.writing(shard_name(number)) as file:
        for track in tracks:
            levels, problem = hear(f"{audio.name}/{track.path}", settings)
            complaint = judge(levels, problem, track, settings)
            if complaint:
                broken.append(asdict(complaint))
            if complaint is None or complaint.kept_s:
                file.write(levels.tobytes())
                numbers.append(track.number)
                lengths.append(len(levels))
    found = {"numbers": numbers, "lengths": lengths, "broken": broken}
    folder.write(_list_name(number), json.dumps(found).encode())


def _list_name(number: int) -> str:
    return f"{number:05d}.json"


def is_complete(folder: Place, number: int, audio: Place) -> bool:
    """Tell whether a shard was written to its end, and no MP3 that was missing then is there now."""
    try:
        found = _read(folder, _list_name(number))
        size = folder.fs.size(folder.inside(shard_name(number)))
    except (OSError, ValueError):
        return False
    missing = [row["path"] for row in found["broken"] if "No such file" in row["reason"]]
    return bool(size == sum(found["lengths"]) * SPEC.n_mels) and not any(map(audio.exists, missing))


def decode(tracks: list[Track], audio: Place, folder: Place, settings: Settings, *, crew: Crew) -> int:
    """Write the shards of ``tracks`` that are not complete yet; return how many shards there are."""
    _keep_settings(folder, tracks, settings)
    size = settings.shard_songs
    shards = [tracks[first : first + size] for first in range(0, len(tracks), size)]
    todo = [number for number in range(len(shards)) if not is_complete(folder, number, audio)]
    done = len(tracks) - sum(len(shards[number]) for number in todo)
    heard = [tuple(shards[number]) for number in todo]
    work = partial(write_shard, folder=folder, audio=audio, settings=settings)
    sizes = [len(one) for one in heard]
    crew.work_through(work, list(zip(todo, heard, strict=True)), unit="song", sizes=sizes, done=done)
    return len(shards)


def _keep_settings(folder: Place, tracks: list[Track], settings: Settings) -> None:
    """Refuse to go on with other settings than a folder was begun with."""
    state = {**asdict(settings), "songs": len(tracks), "feature": SPEC.digest}
    if not folder.exists("settings.json"):
        folder.write("settings.json", json.dumps(state).encode())
    elif (begun := _read(folder, "settings.json")) != state:
        msg = f"{folder.name} was begun with {begun}, now it would be {state}; choose another --out"
        raise ConfigError(msg)


def index(
    folder: Place,
    lists: list[dict[str, Any]],
    tracks: list[Track],
    labels: dict[int, str],
    *,
    archive: Archive,
    dataset: str,
    rate: float,
) -> FrameSet:
    """Join the lists of all shards to a set of those clips that have ``labels``."""
    lengths = np.array([length for found in lists for length in found["lengths"]], np.int64)
    starts = np.cumsum(lengths) - lengths
    numbers = [number for found in lists for number in found["numbers"]]
    rows = np.array([row for row, number in enumerate(numbers) if number in labels], np.int64)
    by_number = {track.number: track for track in tracks}
    kept = [by_number[numbers[row]] for row in rows]
    return FrameSet(
        level=Shards(Path(folder.root), np.array([sum(found["lengths"]) for found in lists], np.int64)),
        start=starts[rows],
        length=lengths[rows],
        frames_per_second=rate,
        name=np.array([f"{track.number:06d}" for track in kept], np.str_),
        dataset=np.full(len(kept), dataset),
        label=np.array([labels[track.number] for track in kept], np.str_),
        tags=np.array([archive.genres.tags(track) for track in kept], np.str_),
        split=np.array([track.split for track in kept], np.str_),
        group=np.array([track.group for track in kept], np.str_),
        bpm=np.array([archive.tempi.get(track.number, np.nan) for track in kept], np.float32),
    )


def _read(folder: Place, name: str) -> dict[str, Any]:
    with folder.open(name) as file:
        found: dict[str, Any] = json.load(file)
    return found


def list_broken(folder: Place, lists: list[dict[str, Any]]) -> list[Broken]:
    """Write broken.csv from the lists of all shards; return its rows."""
    rows = [Broken(**row) for found in lists for row in found["broken"]]
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, [field.name for field in fields(Broken)])
    table.writeheader()
    table.writerows(map(asdict, rows))
    folder.write("broken.csv", text.getvalue().encode())
    return rows


def prepare(
    audio: Place,
    metadata: Place,
    out: Place,
    *,
    settings: Settings,
    genres: str,
    name: str,
    crew: Crew,
    unlabelled: bool,
) -> str:
    """Prepare the archive in ``out``; return a summary of a few lines."""
    archive = Archive(read_genres(metadata), read_tempi(metadata))
    tracks = read_tracks(metadata, settings.subset)
    if not any(audio.exists(track.path) for track in tracks):
        first = tracks[0].path if tracks else "000/000002.mp3"
        msg = f"none of the {len(tracks)} MP3s of subset {settings.subset} is in {audio.name}, not even {first}; "
        raise ConfigError(msg + "give the unpacked folder with --audio, and --subset if its name does not say it")
    folder = Place(f"{out.name}/fma")
    shards = decode(tracks, audio, folder, settings, crew=crew)
    lists = [_read(folder, _list_name(number)) for number in range(shards)]
    chosen = archive.genres.chosen(genres)
    labels = {track.number: archive.genres.label(track, chosen) for track in tracks}
    known = labels if unlabelled else {number: label for number, label in labels.items() if label}
    frames = index(
        folder, lists, tracks, known, archive=archive, dataset=DATASETS[genres], rate=settings.frames_per_second
    )
    frames.save(f"{out.name}/{name}.npz")
    broken = list_broken(folder, lists)
    gone = sum(not row.kept_s for row in broken)
    size_gb = sum(sum(found["lengths"]) for found in lists) * SPEC.n_mels / 1e9
    splits, counts = (_counted(column) for column in (frames.split, frames.label))
    return (
        f"{name}: {len(frames)} clips of {len(tracks)} songs, {frames.total_s / 3600.0:.1f} h: {splits}\n"
        f"  {counts}\n"
        f"  {len(tracks) - gone - len(frames)} songs without exactly one of these genres left out\n"
        f"  {gone} MP3s skipped, {len(broken) - gone} shorter than they should be: {folder.name}/broken.csv\n"
        f"  {size_gb:.3f} GB in {shards} shards, {settings.frames_per_second:g} frames a second: {folder.name}"
    )


def _counted(column: Strings) -> str:
    return ", ".join(f"{value or 'none'} {count}" for value, count in Counter(map(str, column)).most_common())
