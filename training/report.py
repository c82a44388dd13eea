"""Draw pictures and tables of what a model learnt and where it errs, into its folder, for its card.

python -m training.report tempo --run runs/tempo
python -m training.report genre --run runs/genre
"""

from __future__ import annotations

import argparse
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from stream_analyzer.errors import StreamAnalyzerError
from stream_analyzer.library.places import near
from training.figures import Sources
from training.genre import report as genre
from training.tempo import report as tempo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.figure import Figure

# Task -> the function that draws its pictures and tables.
DRAWERS: dict[str, Callable[[Sources], Iterator[tuple[str, Figure | str]]]] = {"genre": genre.draw, "tempo": tempo.draw}
DPI = 80
COLOURS = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the drawing itself is `DRAWERS`."""
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__.split("\n\n")[0])
    parser.add_argument("task", choices=DRAWERS, help="which model to draw")
    parser.add_argument("--model", type=Path, help="model folder, which gets the pictures (default models/TASK)")
    parser.add_argument("--run", type=Path, help="folder of the training run (default runs/TASK)")
    parser.add_argument("--prepared", default="runs/data", help="where training.prepare left its sets")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data files")
    parser.add_argument("--split", default="valid", help="rows to show")
    options = parser.parse_args(arguments)
    sources = Sources(
        model=options.model or Path("models") / options.task,
        run=options.run or Path("runs") / options.task,
        prepared=near(options.prepared),
        data=options.data,
        split=options.split,
    )
    try:
        for name, part in DRAWERS[options.task](sources):
            path = sources.model / f"{name}.{'md' if isinstance(part, str) else 'png'}"
            if isinstance(part, str):
                path.write_text(part, encoding="utf-8")
            else:
                save(part, path)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    except StreamAnalyzerError as error:
        print(f"report: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of few colours: a quarter of the size, and hardly to be told from one of all."""
    drawn = BytesIO()
    figure.savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
