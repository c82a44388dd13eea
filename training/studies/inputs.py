"""Does another input than the log-mel spectrogram help? One small float network, trained alike on five of them.

    python -m training.studies.inputs --prepared runs/data

The inputs are computed inside the network from the stored log-mel windows, so that batches, augmentation, steps and
seeds are the same. Prints a Markdown table after each seed; a finished training is not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras

from stream_analyzer.errors import StreamAnalyzerError
from training.genre.task import GenreTask
from training.studies.representations import INPUTS, log_mel, small_net
from training.task import load_config
from training.train import CONFIGS, Phase, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class InputTask(GenreTask):
    """The genre task with the small network on one of INPUTS."""

    represent: Callable[[tf.Tensor], tf.Tensor] = staticmethod(log_mel)

    def build(self) -> keras.Model:
        """Return a fresh network."""
        return small_net(self.represent, frames=self.input.frames, size=self.output.size)


def compare(task: InputTask, out: Path, *, phase: Phase, seeds: list[int]) -> None:
    """Train each input once for each of ``seeds``, all inputs before the next seed; print the table after each seed."""
    for count, seed in enumerate(seeds, start=1):
        for name, represent in INPUTS.items():
            task.represent = represent
            folder = _folder(out, name, phase, seed)
            if (folder / "score.json").exists():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            keras.utils.set_random_seed(seed)
            model, started = task.build(), time.process_time()
            fit(model, task, phase, seed=seed, name="float", out=folder)
            score = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
            score |= {"cpu_minutes": (time.process_time() - started) / 60.0, "weights": model.count_params()}
            (folder / "score.json").write_text(json.dumps(score) + "\n")
        print(table(out, phase, seeds[:count]), flush=True)


def table(out: Path, phase: Phase, seeds: list[int]) -> str:
    """Return what the runs in ``out`` scored, as Markdown: mean over the seeds, and each seed's score."""
    lines = ["| input | GTZAN clip | FMA clip | weights | CPU minutes |", "|---|---|---|---|---|"]
    for name in INPUTS:
        rows = [json.loads((_folder(out, name, phase, seed) / "score.json").read_text()) for seed in seeds]
        gtzan, fma = (_mean([row[f"{dataset} clip_accuracy"] for row in rows]) for dataset in ("gtzan", "fma-small"))
        minutes = float(np.mean([row["cpu_minutes"] for row in rows]))
        lines.append(f"| {name} | {gtzan} | {fma} | {rows[0]['weights']} | {minutes:.1f} |")
    return "\n".join(lines)


def _folder(out: Path, name: str, phase: Phase, seed: int) -> Path:
    """Return the folder of one training; those of another length have another."""
    return out / f"{name.replace(' ', '')}-{phase.steps}x{phase.batch}-{seed}"


def _mean(scores: list[float]) -> str:
    each = f" ({', '.join(f'{score:.3f}' for score in scores)})" if len(scores) > 1 else ""
    return f"{np.mean(scores):.3f}{each}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.studies.inputs", description=__doc__.split("\n\n")[0])
    parser.add_argument("--prepared", type=Path, default=Path("runs/data"), help="where training.prepare left its sets")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/inputs"), help="folder of the runs; finished ones are kept"
    )
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    parser.add_argument("--batch", type=int, default=48, help="windows a step")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each input")
    options = parser.parse_args(arguments)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    phase = Phase(
        options.steps, rate=2e-3, warmup=min(100, options.steps // 2), batch=options.batch, weight_decay=0.02,
        average=0.99, validate_every=options.steps,
    )  # fmt: skip
    try:
        task = InputTask(load_config(CONFIGS / "genre.toml", []), options.prepared)
        compare(task, options.out, phase=phase, seeds=list(range(1, options.seeds + 1)))
    except StreamAnalyzerError as error:
        print(f"inputs: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
