"""Let a trained run guess the genre labels that each data set can't know, as soft targets for a second run.

    python -m training.teach runs/genre-teacher --prepared runs/data

Writes ``genre-teacher.npz`` beside the prepared sets: for each set, [clips, labels] over what the other set knows,
at the temperature that fits the teacher's own validation. Idea: noisy student (Xie et al. 2020).
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.genre import softmax
from training.dataset import load_frame_set
from training.evaluate_genre import clip_logits, restrict
from training.genre_data import TEACHER_FILE
from training.genre_task import GenreTask
from training.genres import KNOWN
from training.train import predictor

if TYPE_CHECKING:
    from stream_analyzer.types import F32
    from training.dataset import FrameSet
    from training.task import Predict


def guess(frames: FrameSet, predict: Predict, *, window: int, temperature: float) -> F32:
    """Return [clips, labels]: the mean posterior over the labels of the other sets."""
    dataset = str(frames.dataset[0])
    other = next(name for name in KNOWN if name != dataset)
    per_clip = clip_logits(frames, predict, window=window, step=window)
    posteriors = [softmax(restrict(logits / np.float32(temperature), other)).mean(axis=0) for logits in per_clip]
    return np.stack(posteriors)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.teach", description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="folder of a finished genre run")
    parser.add_argument("--prepared", type=Path, default=Path("runs/data"), help="where training.prepare left its sets")
    arguments = parser.parse_args()
    task = GenreTask(json.loads((arguments.run / "config.json").read_text()), arguments.prepared)
    model = task.build()
    model.load_weights(arguments.run / "float.weights.h5")
    predict = predictor(model)
    temperature = task.calibrate(predict)
    guesses = {
        name: guess(
            load_frame_set(arguments.prepared / f"{name}.npz"),
            predict,
            window=task.input.frames,
            temperature=temperature,
        )
        for name in KNOWN
    }
    np.savez_compressed(arguments.prepared / TEACHER_FILE, **guesses)  # type: ignore[arg-type] # numpy's stub
    print(f"{arguments.prepared / TEACHER_FILE}: temperature {temperature:.2f}, clips {[*map(len, guesses.values())]}")


if __name__ == "__main__":
    main()
