"""Train the genre model of sound from musicnn's weights and export it: everything from one command.

    python -m training.genre.sound --data ../shared/data --music FOLDER --wheel musicnn-0.1.0-py3-none-any.whl

``--music`` is a folder of music without labels (data/README.md names free game music). Leaves in ``--out``
model.tflite; left_out.tflite, with a head for each source that did not teach it, for the scorer; facts.json (labels,
scores); and what costs time (network.h5, *.npz), which is used again when there.
"""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from training.genre import sound_judge
from training.genre.collection import JUDGED, LABELS, read_collection
from training.genre.embedded import Embedded, embed_clips, embed_made
from training.genre.head import HeadConfig
from training.genre.musicnn import build, compact, read_weights
from training.genre.pictured import hear_blurred, hear_songs, read_fma
from training.genre.sound_judge import Heard
from training.genre.sound_model import Int8Model, assemble, to_int8
from training.genre.sound_pictures import changed, pictures, read_sound
from training.genre.student import Lesson, StudentConfig, listen, teach
from training.task import load_config

if TYPE_CHECKING:
    import tf_keras as keras

    from stream_analyzer.types import F32
    from training.genre.collection import Clip
    from training.genre.musicnn import Compact

CONFIG = Path(__file__).parents[1] / "configs" / "genre_sound.toml"
MODEL_FILE, LEFT_OUT_FILE = "model.tflite", "left_out.tflite"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SoundConfig:
    """What the configuration file says."""

    seed: int
    threads: int
    variants: list[str]
    made_each: int
    calibration_pictures: int
    student: StudentConfig
    head: HeadConfig
    pictured: HeadConfig
    music_shrink: float


def read_config(path: Path, overrides: list[str]) -> SoundConfig:
    """Return the configuration in ``path``; see `training.task.load_config`."""
    table = load_config(path, overrides)
    student = StudentConfig(**table.pop("student"))
    head, pictured = (HeadConfig(**table.pop(name)) for name in ("head", "pictured"))
    return SoundConfig(**table, student=student, head=head, pictured=pictured)


def tuned_network(parts: Compact, music: Path, out: Path, config: SoundConfig) -> keras.Model:
    """Return musicnn's network taught to hear through rooms; from ``out`` where it was taught before."""
    network, kept = build(parts), out / "network.h5"
    if not kept.exists():
        lesson_file = out / "lesson.npz"
        if not lesson_file.exists():
            lesson = listen(network, music, most=config.student.excerpts, seed=config.seed)
            np.savez(lesson_file, fronts=lesson.fronts, embedding=lesson.embedding)
        with np.load(lesson_file) as data:
            lesson = Lesson(data["fronts"], data["embedding"])
        teach(network, parts, lesson, config=config.student, seed=config.seed)
        network.save_weights(kept)
    network.load_weights(kept)
    return network


def hear(network: keras.Model, clips: list[Clip], data: Path, out: Path, config: SoundConfig) -> Heard:
    """Return what ``network`` makes of clips, of FMA's pictures and of no music; from ``out`` where it was heard."""

    def kept(name: str, make: Any) -> Embedded:  # noqa: ANN401 - a function without arguments
        path = out / f"heard_{name}.npz"
        if not path.exists():
            heard = make()
            np.savez(path, clip=heard.clip, pooled=heard.pooled, embedding=heard.embedding)
        with np.load(path) as file:
            return Embedded(file["clip"], file["pooled"], file["embedding"])

    variants = {
        name: kept(name, lambda name=name: embed_clips(network, clips, name)) for name in ("clean", *config.variants)
    }
    tracks, songs = read_fma(data)
    return Heard(
        clips=clips,
        variants=variants,
        made=kept("made", lambda: embed_made(network, each=config.made_each, seed=config.seed)),
        tracks=tracks,
        pictures=kept("pictures", lambda: hear_songs(network, songs)),
        blurred=kept("blurred", lambda: hear_blurred(network, clips)),
    )


def calibration_pictures(clips: list[Clip], config: SoundConfig) -> F32:
    """Return pictures [n, 187, 96, 1] of all kinds, clean and through rooms, that int8 takes its ranges from."""
    rng, found = np.random.default_rng(config.seed), []
    for index in rng.choice(len(clips), config.calibration_pictures, replace=False):
        kind = ("clean", "room9")[int(rng.integers(2))]
        seen = pictures(changed(read_sound(clips[index].path), kind, name=clips[index].path.name))
        found.append(seen[int(rng.integers(len(seen)))])
    return np.stack(found)[..., None]


def train(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do everything; return the facts that are written."""
    config = read_config(arguments.config, arguments.set)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    parts = compact(read_weights(arguments.wheel))
    network = tuned_network(parts, arguments.music, arguments.out, config)
    clips = read_collection(arguments.data)
    heard = hear(network, clips, arguments.data, arguments.out, config)
    heads = sound_judge.fit_heads(heard, parts, config.head, pictured=config.pictured)
    head = heads[sound_judge.PUBLISHED]
    facts = sound_judge.judge(heads, heard, parts, music_shrink=config.music_shrink)
    music = sound_judge.fit_music(heard, shrink=config.music_shrink)
    ranges = calibration_pictures(clips, config)
    exported = to_int8(assemble(network, parts, heads=[head], music=music), ranges)
    (arguments.out / MODEL_FILE).write_bytes(exported)
    left_out = [heads[source] for source in JUDGED]
    again = tuned_network(parts, arguments.music, arguments.out, config)  # int8 has changed the weights of the first
    (arguments.out / LEFT_OUT_FILE).write_bytes(to_int8(assemble(again, parts, heads=left_out, music=music), ranges))
    facts |= {"labels": LABELS, "config": asdict(config), "bytes": len(exported)}
    facts["int8"] = sound_judge.compare(Int8Model(exported), clips, heard, parts, head=head, music=music)
    (arguments.out / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return facts


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--music", type=Path, required=True, help="a folder of music without labels")
    parser.add_argument("--wheel", type=Path, required=True, help="musicnn's wheel, which holds its weights")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--out", type=Path, default=Path("runs/genre_sound"))
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    print(json.dumps(train(parser.parse_args(arguments)), indent=1))


if __name__ == "__main__":
    main()
