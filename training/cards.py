"""Model cards: a Markdown template beside the config, filled with what the manifest states."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "configs"


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion ``share`` of ``n`` (Wilson 1927)."""
    z = 1.96
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1.0 - share) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def metrics_table(rows: list[dict[str, Any]]) -> str:
    """Return the manifest's metrics as a Markdown table, proportions with their 95 % interval."""
    lines = ["| data set | split | n | metric | float | int8 | 95 % interval |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        interval = "-"
        if "accuracy" in row["metric"]:
            interval = "{:.3f} - {:.3f}".format(*wilson_interval(row["int8"], row["n"]))
        cells = (row["dataset"], row["split"], row["n"], row["metric"], f"{row['float']:.3f}", f"{row['int8']:.3f}")
        lines.append("| " + " | ".join(map(str, (*cells, interval))) + " |")
    return "\n".join(lines)


def fill_card(template: str, facts: dict[str, Any]) -> str:
    """Return the text of ``configs/TEMPLATE`` with ``{metrics}``, ``{licences}`` and plain facts filled in."""
    window = facts["input"]
    return (
        (TEMPLATES / template)
        .read_text(encoding="utf-8")
        .format(
            version=facts["version"],
            sha256=facts["sha256"][:16],
            commit=facts["training"]["commit"],
            seed=facts["training"]["seed"],
            window_s=f"{window['frames'] * window['every'] / 50.0:.2f}",
            temperature=f"{facts['calibration']['temperature']:.3f}",
            metrics=metrics_table(facts["metrics"]),
            licences="\n".join(f"- {line}" for line in facts["training"]["licences"]),
        )
    )
