"""Score an exported int8 model on data files: one JSON object, per data set.

python -m training.evaluate genre --data ../shared/data --split valid --json
python -m training.evaluate genre-switch --data ../shared/data --split valid --json
python -m training.evaluate key --data ../shared/data --split valid --json
python -m training.evaluate tempo --data ../shared/data --split valid --json
python -m training.evaluate beat --data ../shared/data --split valid --json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_analyzer.errors import StreamAnalyzerError
from training.beat import evaluate as beat
from training.genre import evaluate as genre
from training.key import evaluate as key
from training.publish import publish
from training.studies import genre_switch
from training.tempo import evaluate as tempo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What is scored -> the function that scores the model in a folder on a split of the data.
SCORERS: dict[str, Callable[..., dict[str, Any]]] = {
    "genre": genre.evaluate,
    "genre-switch": genre_switch.evaluate,
    "key": key.evaluate,
    "tempo": tempo.evaluate,
    "beat": beat.evaluate,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the scoring itself is in `SCORERS`."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__.split("\n\n")[0])
    parser.add_argument("task", choices=SCORERS, help="which model to score, and how")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data files")
    parser.add_argument("--split", default="valid", help="rows to score: train, valid or test")
    parser.add_argument("--model", type=Path, help="model folder (default models/TASK)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--publish", action="store_true", help="write the scores into the model's manifest and card")
    parser.add_argument("--through", type=Path, help="script that spoils each sound first: process(samples, rate, rng)")
    chosen = parser.parse_args(arguments)
    try:
        model = chosen.model or Path("models") / chosen.task.partition("-")[0]
        report = SCORERS[chosen.task](model, data=chosen.data, split=chosen.split, through=chosen.through)
        if chosen.publish:
            publish(model, task=chosen.task, report=report, split=chosen.split)
    except StreamAnalyzerError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(report) if chosen.json else _table(report))
    return 0


def _table(report: dict[str, Any]) -> str:
    lines = []
    for name, values in report.items():
        lines.append(name)
        for what, value in values.items() if isinstance(values, dict) else [("", values)]:
            lines.append(f"  {what:24} {value:.4f}" if isinstance(value, float) else f"  {what:24} {value}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
