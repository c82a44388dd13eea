"""Draw pictures of what a model learnt and where it errs, into its folder, for its card.

python -m training.report tempo --run runs/tempo
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from stream_analyzer.errors import StreamAnalyzerError
from training.figures import Sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

DPI = 80


def main() -> int:
    """Run the command; the drawing itself is `training.report_genre` or `training.report_tempo`."""
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__.split("\n\n")[0])
    parser.add_argument("task", choices=["genre", "tempo"], help="which model to draw")
    parser.add_argument("--model", type=Path, help="model folder, which gets the pictures (default models/TASK)")
    parser.add_argument("--run", type=Path, help="folder of the training run (default runs/TASK)")
    parser.add_argument("--prepared", type=Path, default=Path("runs/data"), help="where training.prepare left its sets")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data files")
    parser.add_argument("--split", default="valid", help="rows to show")
    arguments = parser.parse_args()
    sources = Sources(
        model=arguments.model or Path("models") / arguments.task,
        run=arguments.run or Path("runs") / arguments.task,
        prepared=arguments.prepared,
        data=arguments.data,
        split=arguments.split,
    )
    try:
        figures: Iterator[tuple[str, Figure]] = import_module(f"training.report_{arguments.task}").draw(sources)
        for name, figure in figures:
            path = sources.model / f"{name}.png"
            figure.savefig(path, dpi=DPI, metadata={"Software": None})
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    except StreamAnalyzerError as error:
        print(f"report: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
