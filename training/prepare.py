"""Turn data files into the service's representation: log-mel frames as the models see them, one file a set.

python -m training.prepare gtzan fma-small audio --data ../shared/data --out runs/data
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stream_analyzer.errors import StreamAnalyzerError
from training import sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.dataset import FrameSet

# A set's name on the command line -> how to read it from the data folder.
SETS: dict[str, Callable[[Path], FrameSet]] = {
    "gtzan": sources.read_gtzan,
    "fma-small": sources.read_fma_small,
    "audio": sources.read_audio,
}


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "sets", nargs="*", default=list(SETS), metavar="SET", help=f"of {', '.join(SETS)} (default all)"
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data files")
    parser.add_argument("--out", type=Path, default=Path("runs/data"), help="folder for the prepared sets")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.sets) - set(SETS))
    if unknown:
        parser.error(f"no set named {', '.join(unknown)}; there are {', '.join(SETS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.sets:
        started = time.monotonic()
        try:
            frames = SETS[name](arguments.data)
        except StreamAnalyzerError as error:
            print(f"prepare: {error}", file=sys.stderr)
            return error.exit_code
        frames.save(arguments.out / f"{name}.npz")
        print(f"{name}: {len(frames)} clips, {frames.total_s / 3600.0:.1f} h, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
