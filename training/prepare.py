"""Turn data files into the service's representation: log-mel or pitch frames as the models see them, one file a set.

python -m training.prepare gtzan fma-small audio keys --data ../shared/data --out runs/data
python -m training.prepare fma --audio fma_medium --metadata fma_metadata --out runs/data
python -m training.prepare music --known key --hours 4.26 --out runs/key/songs
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from math import ceil
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from stream_analyzer.errors import StreamAnalyzerError
from stream_analyzer.library.places import Place
from stream_analyzer.library_command import add_crew_arguments
from training.beat import songs as beat_songs
from training.data import prepare_fma, sources
from training.data.fma import GENRE_SETS, SUBSETS
from training.data.work import Crew
from training.key import pitch_set
from training.key import songs as key_songs
from training.music import synth
from training.music.shards import shards_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.data.dataset import FrameSet
    from training.key.pitch_set import PitchSet

# A set's name on the command line -> how to read it from the data folder.
SETS: dict[str, Callable[[Path], FrameSet | PitchSet]] = {
    "gtzan": sources.read_gtzan,
    "fma-small": sources.read_fma_small,
    "audio": sources.read_audio,
    "keys": pitch_set.read_keys,
}
# What is known of generated songs -> who renders them, and how many at a time.
MUSIC: dict[str, tuple[Callable[..., None], int]] = {
    "tempo": (synth.write_shard, synth.CLIPS_PER_SHARD),
    "beats": (beat_songs.write_shard, beat_songs.CLIPS_PER_SHARD),
    "key": (key_songs.write_shard, key_songs.CLIPS_PER_SHARD),
}
OWN = {"tempo": "group", "key": "split"}  # what can be chosen of them alone


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.sets) - {*SETS, "fma", "music"})
    if unknown:
        parser.error(f"no set named {', '.join(unknown)}; there are {', '.join(SETS)}, fma and music")
    if "fma" in options.sets and not (options.audio and options.metadata):
        parser.error("fma needs --audio (unpacked fma_small.zip ... fma_full.zip) and --metadata (fma_metadata.zip)")
    if "music" in options.sets and not (options.known and options.out):
        parser.error(f"music needs --known ({', '.join(MUSIC)}) and --out, a folder for these songs alone")
    for known, own in OWN.items():
        if getattr(options, own) and options.known != known:
            parser.error(f"--{own} {getattr(options, own)}: is for songs of --known {known} alone")
    options.out = options.out or "runs/data"
    try:
        for name in options.sets:
            started = time.monotonic()
            summary = {"fma": _prepare_fma, "music": _prepare_music}.get(name, partial(_prepare, name))(options)
            print(f"{summary}\n  {time.monotonic() - started:.0f} s")
    except StreamAnalyzerError as error:
        print(f"prepare: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("prepare: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description=__doc__.split("\n\n")[0])
    names = f"of {', '.join(SETS)} (default all of them), fma, music"
    parser.add_argument("sets", nargs="*", default=list(SETS), metavar="SET", help=names)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data files")
    parser.add_argument("--out", help="folder for the prepared sets, or an address (runs/data)")
    fma = parser.add_argument_group("fma", "the Free Music Archive as MP3s; an interrupted run goes on where it was")
    fma.add_argument("--audio", help="folder with 000/000002.mp3 ..., or its address, such as s3://BUCKET/fma_full")
    fma.add_argument("--metadata", help="folder with tracks.csv, genres.csv and perhaps echonest.csv")
    fma.add_argument("--subset", choices=SUBSETS, help="default: what the audio folder is named after, else large")
    fma.add_argument(
        "--genres", choices=GENRE_SETS, default="8", help="fma_small's 8, all 16 top genres, the study's 23"
    )
    fma.add_argument("--name", help="of the prepared set (default fma-GENRES); the frames are shared by all names")
    fma.add_argument("--unlabelled", action="store_true", help="keep songs without exactly one of the genres, label ''")
    fma.add_argument(
        "--every", type=int, default=4, help="keep every n-th frame of 50 a second (4, as the genre model)"
    )
    fma.add_argument("--seconds", type=int, default=30, help="of the middle of each song")
    music = parser.add_argument_group("music", "generated songs; shards that are there are not made again")
    music.add_argument("--known", choices=MUSIC, help="what is known of them exactly")
    music.add_argument("--hours", type=float, default=3.0, help="of songs (%(default)s)")
    music.add_argument("--seed", type=int, default=1, help="other songs by another one")
    music.add_argument("--group", choices=sorted(synth.SHARES), help="of songs of known tempo (all)")
    music.add_argument("--split", choices=("train", "valid"), help="of POP909, for songs of known key (train)")
    add_crew_arguments(parser.add_argument_group("fma and music", "who works"))
    return parser


def _prepare(name: str, arguments: argparse.Namespace) -> str:
    frames = SETS[name](arguments.data)
    frames.save(f"{arguments.out}/{name}.npz")
    return f"{name}: {len(frames)} clips, {frames.total_s / 3600.0:.1f} h"


def _prepare_music(arguments: argparse.Namespace) -> str:
    write, size = MUSIC[arguments.known]
    own = OWN.get(arguments.known)
    chosen = {own: getattr(arguments, own)} if own and getattr(arguments, own) else {}
    songs = ceil(arguments.hours * 3600.0 / synth.CLIP_S)
    shards = shards_of(Place(arguments.out).name, songs=songs, size=size, seed=arguments.seed)
    todo = [shard for shard in shards if not shard.target.exists()]
    sizes = [shard.songs for shard in todo]
    work = partial(write, data=arguments.data.absolute(), **chosen)
    Crew.of(arguments).work_through(work, todo, unit="song", sizes=sizes, done=songs - sum(sizes))
    return f"music of known {arguments.known}: {songs} songs in {len(shards)} shards: {arguments.out}"


def _prepare_fma(arguments: argparse.Namespace) -> str:
    audio = Place(arguments.audio)
    named = [subset for subset in SUBSETS if subset in PurePath(audio.root).name]
    subset = arguments.subset or (named[0] if named else "large")
    return prepare_fma.prepare(
        audio,
        Place(arguments.metadata),
        Place(arguments.out),
        settings=prepare_fma.Settings(subset, seconds=arguments.seconds, every=arguments.every),
        genres=arguments.genres,
        name=arguments.name or f"fma-{arguments.genres}",
        crew=Crew.of(arguments),
        unlabelled=arguments.unlabelled,
    )


if __name__ == "__main__":
    sys.exit(main())
