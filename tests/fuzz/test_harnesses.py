"""A little of each harness: its seeds, and these changed at random (`python -m tests.fuzz` does more)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.files import clean_up
from tests.fuzz.harnesses import HARNESSES

if TYPE_CHECKING:
    from collections.abc import Iterator


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
