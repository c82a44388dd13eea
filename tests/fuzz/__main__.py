"""Fuzz one reader under atheris, which sees the branches that bytes take: `python -m tests.fuzz wire --runs 1000000`.

atheris is no package of this project, for it has no wheels for each Python: `pip install atheris`. `--blind` does
without, many times as fast (`tests/fuzz/blind.py`). What is found lies in a file `crash-...` in the folder of
`--out`; `python -m tests.fuzz wire FILE` shows that one again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.fuzz import blind


def _watched() -> AbstractContextManager[None]:
    """Let atheris see what is imported within."""
    import atheris

    watched: AbstractContextManager[None] = atheris.instrument_imports(
        include=["stream_analyzer", "training.data", "websockets"]
    )
    return watched


def main() -> None:
    """Parse the command line, and fuzz until the runs are done, the time is over or something is found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("harness", help="one of tests/fuzz/harnesses.py, or list")
    parser.add_argument("files", nargs="*", type=Path, help="run these once instead")
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs (default 1000000)")
    parser.add_argument("--seconds", type=int, default=0, help="end after so long; 0 is never")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="folder for what was interesting (default: a new one)")
    parser.add_argument("--blind", action="store_true", help="change inputs at random, those of --out among them")
    given = parser.parse_args()
    with nullcontext() if given.blind else _watched():
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
    if given.blind:
        known = [file.read_bytes() for file in sorted(folder.iterdir()) if not file.name.startswith("crash-")]
        found = blind.fuzz(harness, known, runs=given.runs, seconds=given.seconds, seed=given.seed, out=folder)
        clean_up()
        sys.exit(found)
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
    import atheris

    atheris.Setup([sys.argv[0], *options, str(folder)], harness.run)
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
