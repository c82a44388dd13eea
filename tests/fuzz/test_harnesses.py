"""A little of each harness: its seeds, and these changed at random (`python -m tests.fuzz` does more)."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import blind
from tests.fuzz.files import clean_up
from tests.fuzz.harnesses import HARNESSES, Harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True, scope="module")
def _nothing_left() -> Iterator[None]:
    yield
    clean_up()


@st.composite
def _changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed with pieces cut out and others put in."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 16)))
        data = data[:start] + draw(st.binary(max_size=16)) + data[end:]
    return data


@pytest.mark.parametrize("name", HARNESSES)
def test_seeds_pass(name: str) -> None:
    for seed in HARNESSES[name].seeds():
        HARNESSES[name].run(seed)
    HARNESSES[name].run(b"")


@pytest.mark.parametrize("name", HARNESSES)
def test_changed_seeds_pass(name: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(_changed(HARNESSES[name].seeds()))
    def passes(data: bytes) -> None:
        HARNESSES[name].run(data)

    passes()


@pytest.mark.parametrize(
    "died", [lambda: 1 // 0, lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: bytearray(600_000_000).find(b"1")]
)
def test_the_input_is_kept_that_a_reader_dies_of(died: Callable[[], object], tmp_path: Path) -> None:
    def reads(data: bytes) -> None:
        if len(data) > 12:
            died()

    harness = Harness(reads, lambda: [b"twelve bytes"])
    assert blind.fuzz(harness, harness.seeds(), runs=5000, seconds=0, seed=1, out=tmp_path) == 1
    (kept,) = tmp_path.iterdir()
    assert len(kept.read_bytes()) > 12


def test_a_reader_without_fault_runs_blindly_to_the_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    harness = HARNESSES["wire"]
    assert blind.fuzz(harness, harness.seeds(), runs=300, seconds=0, seed=1, out=tmp_path) == 0
    assert "300 inputs" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())
