"""Fuzz fast and blindly: inputs that are known, changed at random, with no look at the branches that they take.

A reader that takes a tenth of a millisecond is ten times slower while atheris watches it. So atheris finds inputs that
go new ways, and from these this makes the million. A child process runs them; what it runs lies in memory that its
parent sees, which keeps it where the child dies, hangs or takes much memory.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.harnesses import Harness

_HANGS_S = 20  # of a processor: others may have it for long
_MOST_MB = 512  # more than at the beginning, at the highest: the heaviest reader here takes a tenth of it
_SIZE_BYTES = 8  # of the length before the input
_TOLD_EVERY = 50_000
_BYTES = (0, 1, 0x7F, 0x80, 0xFF, *b"\r\n\0 \"'{}[]:,;=&%/\\#<>.-+0123456789eE")


def mutated(data: bytes, other: bytes, rng: random.Random, *, longest: int) -> bytes:
    """Return ``data`` with one to six changes: bytes, pieces cut out, doubled, moved, or taken from ``other``."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        first, last = sorted(rng.randint(0, len(made)) for _ in range(2))
        last = min(last, first + rng.choice((1, 4, 16, 256)))
        kind = rng.randrange(7)
        if kind == 0:
            made[first:last] = b""
        elif kind == 1:
            made[first:first] = made[first:last] * rng.choice((1, 1, 2, 20))
        elif kind == 2:
            made[first:first] = rng.randbytes(rng.choice((1, 2, 8)))
        elif kind == 3:
            start = rng.randint(0, len(other))
            made[first:last] = other[start : start + rng.choice((1, 8, 64, 1024))]
        elif made and kind == 4:
            made[min(first, len(made) - 1)] ^= 1 << rng.randrange(8)
        elif made:
            made[min(first, len(made) - 1)] = rng.choice(_BYTES)
    return bytes(made[:longest])


def fuzz(harness: Harness, known: list[bytes], *, runs: int, seconds: int, seed: int, out: Path) -> int:
    """Run it on so many inputs, or for so long (0 is for ever); return the exit status, 1 if something was found."""
    longest = 2 * max(map(len, known)) + 256
    seen = mmap.mmap(-1, _SIZE_BYTES + longest)
    child = os.fork()
    if not child:
        _run(harness, known, seen, rng=random.Random(seed), runs=runs, ends_s=seconds and time.monotonic() + seconds)
    _, status = os.waitpid(child, 0)
    if status == 0:
        return 0
    file = out / f"crash-blind-{seed}"
    file.write_bytes(seen[_SIZE_BYTES : _SIZE_BYTES + int.from_bytes(seen[:_SIZE_BYTES], "little")])
    _say(f"found: status {status} (a hang is ended by SIGPROF, {signal.SIGPROF}); the input lies in {file}")
    return 1


def _run(
    harness: Harness, known: list[bytes], seen: mmap.mmap, *, rng: random.Random, runs: int, ends_s: float
) -> None:
    """Be the child; never return."""
    began_s, done, longest = time.process_time(), 0, len(seen) - _SIZE_BYTES
    most_mb = _peak_mb() + _MOST_MB
    try:
        while done < runs and not (ends_s and time.monotonic() > ends_s):
            data = mutated(rng.choice(known), rng.choice(known), rng, longest=longest)
            seen[:_SIZE_BYTES] = len(data).to_bytes(_SIZE_BYTES, "little")
            seen[_SIZE_BYTES : _SIZE_BYTES + len(data)] = data
            signal.setitimer(signal.ITIMER_PROF, _HANGS_S)
            harness.run(data)
            done += 1
            _check_memory(most_mb)
            if done % _TOLD_EVERY == 0:
                _say(f"{done} inputs in {time.process_time() - began_s:.0f} s of a processor")
    except BaseException:  # noqa: BLE001 - any is what this looks for; the parent's code must not see it
        traceback.print_exc()
        os._exit(1)
    _say(f"{done} inputs in {time.process_time() - began_s:.0f} s of a processor: nothing found")
    os._exit(0)


def _peak_mb() -> float:
    """Return the most memory that this process ever held."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _check_memory(most_mb: float) -> None:
    if _peak_mb() > most_mb:
        msg = f"it took more than {_MOST_MB} MB of memory"
        raise MemoryError(msg)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
