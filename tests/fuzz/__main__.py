"""Fuzz one reader under atheris, which sees the branches that bytes take: `python -m tests.fuzz wire --runs 1000000`.

atheris is no package of this project, for it has no wheels for each Python: `pip install atheris`. What it finds it
writes to a file `crash-...` in the folder of `--out`; `python -m tests.fuzz wire FILE` shows that one again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Parse the command line, and fuzz until the runs are done, the time is over or something is found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("harness", help="one of tests/fuzz/harnesses.py, or list")
    parser.add_argument("files", nargs="*", type=Path, help="run these once instead")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs (default 1000000)")
    parser.add_argument("--seconds", type=int, default=0, help="end after so long; 0 is never")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="folder for what was interesting (default: a new one)")
    given = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=["stream_analyzer", "training.data", "websockets"]):
        from tests.fuzz.files import clean_up
        from tests.fuzz.harnesses import HARNESSES
    if given.harness not in HARNESSES:
        parser.exit(2 if given.harness != "list" else 0, f"harnesses: {', '.join(HARNESSES)}\n")
    harness = HARNESSES[given.harness]
    if given.files:
        for file in given.files:
            harness.run(file.read_bytes())
        clean_up()
        return
    folder = given.out or Path(tempfile.mkdtemp(prefix=f"fuzz-{given.harness}-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(harness.seeds()):
        (folder / f"seed-{number}").write_bytes(seed)
    longest = 2 * max(map(len, harness.seeds())) + 256
    options = [
        f"-runs={given.runs}",
        f"-max_total_time={given.seconds}",
        f"-seed={given.seed}",
        f"-max_len={longest}",
        f"-artifact_prefix={folder}/",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder)], harness.run)
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
