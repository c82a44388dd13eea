"""Export a beat network: the streaming int8 TFLite model with manifest, golden windows and card.

python -m training.beat.export runs/beat/run --songs runs/beat/songs --recordings runs/beat/recordings --out models/beat
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from stream_analyzer.analysis.beat.output import BeatOutput
from stream_analyzer.analysis.beat.picture import RunningLevel
from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.manifest import ModelInput, ModelManifest, sha256_of
from stream_analyzer.analysis.model import TfliteModel
from training.beat.data import levels_of
from training.beat.net import TAPS, build, build_streaming
from training.nets import int8
from training.publish import write_card

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import tf_keras as keras

    from stream_analyzer.types import F32
    from training.beat.clips import Clip

MODEL_FILE = "model.tflite"
BLOCK = 5  # frames: one step of the analyzer
CALIBRATION_S = 12.0  # of each clip that sets the ranges
GOLDEN_BLOCKS = 40
LICENCES = [
    "songs rendered from MMA (GPL) accompaniments and own scores; fonts FluidR3 and MuseScore (MIT), TimGM6mb (GPL)",
    "Groove MIDI, train split (CC BY 4.0), and POP909 (MIT), rendered likewise",
    "GTZAN, 137 clips of the fault-filtered train list (no stated licence), with beats tapped by people (MIT)",
    "free game music (Debian) and Creative Commons clips (FMA, Magnatune, radio), labelled by BeatNet (CC BY 4.0)",
]


def whole_network(run: Path, config: dict[str, Any]) -> keras.Model:
    """Return the trained float network."""
    model = build(**config["net"])
    model.load_weights(run / "float.weights.h5")
    return model


def streaming_network(whole: keras.Model, config: dict[str, Any]) -> keras.Model:
    """Return the same network for blocks of frames."""
    model = build_streaming(width=config["net"]["width"], blocks=config["net"]["blocks"], block=BLOCK)
    model.set_weights(whole.get_weights())
    return model


def blocks(levels: F32) -> Iterator[F32]:
    """Yield blocks [1, BLOCK, 128, 1] of levels [frames, 128]."""
    for start in range(0, len(levels) - BLOCK + 1, BLOCK):
        yield levels[None, start : start + BLOCK, :, None]


def to_int8(model: keras.Model, clips: Sequence[Clip]) -> bytes:
    """Return the streaming ``model`` as TFLite with int8 arithmetic; ranges are those that ``clips`` reach."""
    run = tf.function(lambda *inputs: model(list(inputs), training=False))
    names = [f"input_{number}" for number in range(len(model.inputs))]

    def representative() -> Iterator[dict[str, Any]]:
        for clip in clips:
            past = [np.zeros(tensor.shape, np.float32) for tensor in model.inputs[1:]]
            for block in blocks(levels_of(clip)[: int(CALIBRATION_S * SPEC.frames_per_second)]):
                yield dict(zip(names, (block, *past), strict=True))
                past = [one.numpy() for one in run(block, *past)[1:]]

    concrete = run.get_concrete_function(
        *(tf.TensorSpec(one.shape, tf.float32, name=name) for name, one in zip(names, model.inputs, strict=True))
    )
    return int8.convert(int8.converter_of(concrete, model), representative)


def golden_windows() -> F32:
    """Return the levels of four seconds of clicks in noise, [frames, 128]: enough to fill the past."""
    rng = np.random.default_rng(7)
    sound = 0.003 * rng.standard_normal((GOLDEN_BLOCKS * BLOCK) * SPEC.hop + SPEC.n_fft)
    for start in range(0, len(sound) - 2000, SPEC.sample_rate_hz // 2):
        sound[start : start + 1500] += 0.3 * rng.standard_normal(1500) * np.exp(-np.arange(1500) / 300.0)
    frames = StreamingLogMel().push(sound.astype(np.float32))
    return RunningLevel().push(frames)[: GOLDEN_BLOCKS * BLOCK]


def export(run: Path, clips: Sequence[Clip], *, version: str, out: Path) -> ModelManifest:
    """Write the files of a model folder; return the manifest."""
    config = json.loads((run / "config.json").read_text())
    out.mkdir(parents=True, exist_ok=True)
    (out / MODEL_FILE).write_bytes(to_int8(streaming_network(whole_network(run, config), config), clips))
    past = (TAPS - 1) * (2 ** config["net"]["blocks"] - 1)
    window = ModelInput(frames=BLOCK, every=1, stride=BLOCK, min_frames=BLOCK, values="level below the loudest of late")
    manifest = ModelManifest(
        name="beat",
        version=version,
        task="beat",
        file=MODEL_FILE,
        sha256=sha256_of(out / MODEL_FILE),
        feature=SPEC,
        input=window,
        output=BeatOutput(BLOCK, past / SPEC.frames_per_second).to_dict(),
        calibration={},
        time_constant_s=past / SPEC.frames_per_second,
        metrics=[],
        training={
            "commit": config["commit"],
            "seed": config["seed"],
            "config": {key: value for key, value in config.items() if key not in ("commit", "seed")},
            "licences": LICENCES,
        },
    )
    (out / "manifest.json").write_text(manifest.to_json())
    model, levels = TfliteModel(out), golden_windows()
    logits = [model.run(block[0, :, :, 0]) for block in blocks(levels)][-1]
    np.savez_compressed(out / "golden.npz", window=levels, logits=logits)
    write_card(out, task="beat")
    return manifest


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    from training.beat.clips import read_clips  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m training.beat.export", description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="folder of a finished run of training.beat.train")
    parser.add_argument("--recordings", type=Path, default=Path("runs/beat/recordings"))
    parser.add_argument("--out", type=Path, required=True, help="model folder, e.g. models/beat")
    parser.add_argument("--version", default="1", help="version that the manifest states")
    options = parser.parse_args(arguments)
    clips = read_clips(options.recordings / "tapped_train.npz")[::6]
    export(options.run, clips, version=options.version, out=options.out)
    print(f"{options.out}: {(options.out / MODEL_FILE).stat().st_size / 1024.0:.0f} KiB")


if __name__ == "__main__":
    main()
