"""Export a trained run: int8 TFLite model, manifest, golden window and card, with metrics from the int8 file itself.

    python -m training.export runs/genre --version 1 --out models/genre

The int8 numbers come from `stream_analyzer.analysis.model.TfliteModel`, the code that serves it, beside those of
the float network; what a listener gets is measured by `training.evaluate --publish`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.manifest import ModelManifest, sha256_of
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.pitches import PITCHES
from training.nets.quant import quantization_aware, to_int8
from training.publish import write_card
from training.task import Task, served
from training.tasks import make_task
from training.train import predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL_FILE = "model.tflite"
FEATURES = {"profile": PITCHES}  # what a model sees of them -> the features, where that is not the log-mel of `SPEC`


def side_by_side(float_rows: list[dict[str, Any]], int8_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Merge two lists of metrics that differ in ``value`` only."""
    return [
        {**{key: value for key, value in a.items() if key != "value"}, "float": a["value"], "int8": b["value"]}
        for a, b in zip(float_rows, int8_rows, strict=True)
    ]


def export(run: Path, task: Task, config: dict[str, Any], *, version: str, out: Path) -> ModelManifest:
    """Write the four files of a model folder; return the manifest."""
    settings = {key: value for key, value in config.items() if key not in ("commit", "seed")}
    model = task.build()
    model.load_weights(run / "float.weights.h5")
    quantized = quantization_aware(model)
    quantized.load_weights(run / "int8.weights.h5")
    out.mkdir(parents=True, exist_ok=True)
    (out / MODEL_FILE).write_bytes(to_int8(quantized))

    draft = ModelManifest(
        name=config["task"],
        version=version,
        task=config["task"],
        file=MODEL_FILE,
        sha256=sha256_of(out / MODEL_FILE),
        feature=FEATURES.get(task.input.values, SPEC),
        input=task.input,
        output=task.output.to_dict(),
        calibration={},
        time_constant_s=task.time_constant_s,
        metrics=[],
        training={
            "commit": config["commit"],
            "seed": config["seed"],
            "config": settings,
            "licences": task.licences(),
        },
    )
    (out / "manifest.json").write_text(draft.to_json())
    int8 = served(TfliteModel(out))
    calibration, output = task.calibrate(int8)
    metrics = side_by_side(
        *(task.metrics(predict, temperature=calibration["temperature"]) for predict in (predictor(model), int8))
    )
    manifest = replace(draft, output=output.to_dict(), calibration=calibration, metrics=metrics)
    (out / "manifest.json").write_text(manifest.to_json())
    window = task.golden()
    np.savez_compressed(out / "golden.npz", window=window, logits=int8(window[None])[0])
    write_card(out, task=config["task"])
    return manifest


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="folder of a finished training run")
    parser.add_argument("--prepared", default="runs/data", help="where training.prepare left its sets")
    parser.add_argument("--out", type=Path, required=True, help="model folder, e.g. models/genre")
    parser.add_argument("--version", default="1", help="version that the manifest states")
    options = parser.parse_args(arguments)
    config = json.loads((options.run / "config.json").read_text())
    task = make_task(config, options.prepared)
    manifest = export(options.run, task, config, version=options.version, out=options.out)
    size_kib = (options.out / MODEL_FILE).stat().st_size / 1024.0
    print(f"{options.out}: {size_kib:.0f} KiB, temperature {manifest.calibration['temperature']:.3f}")
    for row in manifest.metrics:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
