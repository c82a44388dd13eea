"""Each claim of docs/security.md names tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.support.real_process import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/\S+?\.py)::(\w+)`", TEXT)))
CLAIMED = TEXT.split("## Claims")[1].split("## What the packages are")[0]
CLAIMS = [line for line in CLAIMED.splitlines() if line.startswith("| ") and line != "| claim | test |"]


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_named_test_is_there(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_names_a_test(claim: str) -> None:
    assert "::test_" in claim
