"""Put the scores of the one scorer into a model's manifest and card: what `training.evaluate --publish` does.

A card is a template beside the config, filled with what the manifest states.
"""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.manifest import load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEMPLATES = Path(__file__).parent / "configs"
_GENRE = ("shown_at_end", "shown_after_10_s", "shown_over_time", "first_two", "among_known")
_KEY = (
    "weighted",
    "right",
    "told_of_the_whole",
    "right_within_15_s",
    "no_key",
    "followed_within_12_s",
    "held_through_drums",
)
_TEMPO = ("accuracy1", "accuracy2", "rmse_bpm")
_BEAT = {
    "beat": "F-measure of beats",
    "downbeat": "F-measure of downbeats",
    "cmlt": "CMLt",
    "amlt": "AMLt",
    "beat_whole": "F-measure of beats, whole clip",
    "downbeat_whole": "F-measure of downbeats, whole clip",
    "foretold": "F-measure of the beats foretold",
    "foretold_ms": "distance of a foretold beat to the nearest, ms (median)",
    "metre": "beats in a bar right at the end",
}


def publish(folder: Path, *, task: str, report: dict[str, Any], split: str) -> None:
    """Write the scores of ``report`` into the manifest and the card of the model in ``folder``."""
    manifest = load_manifest(folder)
    rows = _ROWS[task](report, split)
    kept = [row for row in manifest.metrics if "int8" in row]  # of export: float and int8 side by side
    manifest = replace(manifest, metrics=[*rows, *kept])
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    write_card(folder, task=task)


def write_card(folder: Path, *, task: str) -> None:
    """Write CARD.md of what the manifest in ``folder`` states."""
    facts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    kind = f"{task}_sound" if facts["input"].get("values") == "picture" else task
    (folder / "CARD.md").write_text(fill_card(f"{kind}_card.md", facts), encoding="utf-8")


def fill_card(template: str, facts: dict[str, Any]) -> str:
    """Return the text of ``configs/TEMPLATE`` with tables, licences and plain facts filled in."""
    window, spec = facts["input"], facts["feature"]["spec"]
    heard_s = (window.get("live_frames") or window["frames"]) * window["every"] * spec["hop"] / spec["sample_rate_hz"]
    return (
        (TEMPLATES / template)
        .read_text(encoding="utf-8")
        .format(
            version=facts["version"],
            sha256=facts["sha256"][:16],
            commit=facts["training"]["commit"],
            seed=facts["training"]["seed"],
            window_s=f"{heard_s:.2f}",
            temperature=f"{facts['calibration'].get('temperature', 1.0):.3f}",
            served=served_table(facts["metrics"]),
            metrics=quantized_table(facts["metrics"]),
            licences="\n".join(f"- {line}" for line in facts["training"]["licences"]),
        )
    )


def served_table(rows: list[dict[str, Any]]) -> str:
    """Return what a listener gets as a Markdown table, with 95 % intervals where there are some."""
    lines = ["| data set | split | n | what | score | 95 % interval |", "|---|---|---|---|---|---|"]
    for row in rows:
        if "value" in row:
            low, high = row.get("interval", (math.nan, math.nan))
            interval = "-" if math.isnan(low) else f"{low:.3f} - {high:.3f}"
            cells = (row["dataset"], row["split"], row["n"], row["metric"], f"{row['value']:.3f}", interval)
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def quantized_table(rows: list[dict[str, Any]]) -> str:
    """Return what export measured of the float network and of the int8 file as a Markdown table."""
    lines = ["| data set | split | n | metric | float | int8 |", "|---|---|---|---|---|---|"]
    for row in rows:
        if "int8" in row:
            cells = (row["dataset"], row["split"], row["n"], row["metric"], f"{row['float']:.3f}", f"{row['int8']:.3f}")
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion ``share`` of ``n`` (Wilson 1927)."""
    z = 1.96
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1.0 - share) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def _genre_rows(report: dict[str, Any], split: str) -> Iterator[dict[str, Any]]:
    for source, part in report.get("as shown", {}).items():
        if "n" not in part:
            continue
        n = f"{part['songs']} songs, {part['n']} clips"
        for name in _GENRE:
            for over in ("by_song", "over_genres"):
                what = f"{name}, {over}".replace("_", " ")
                yield _row(source, split, n, what, part[name][over], part[name][f"{over}_95"])
        yield _row(source, split, n, "calibration error of the label shown", part["ece"], part["ece_95"])
        yield _row(source, split, n, "the same, if every probability were true", part["ece_honest"])
    for name, part in report.items():
        if name.startswith("not music"):
            share = part["never_confident"]
            yield _row(name, split, part["n"], "never confident", share, wilson_interval(share, part["n"]))
        elif name.startswith(("music", "perhaps music")):
            yield _row(name, split, f"{part['n']} clips", "windows held back as no music", part["held_back"])


def _tempo_rows(report: dict[str, Any], split: str) -> Iterator[dict[str, Any]]:
    for name, part in report.items():
        parts = {"whole clip": part, "at the end": part.get("shown_at_end"), "after 10 s": part.get("shown_after_10_s")}
        for when, scores in parts.items():
            for metric in _TEMPO if scores else ():
                interval = wilson_interval(scores[metric], part["n"]) if metric != "rmse_bpm" else ()
                yield _row(name, split, part["n"], f"{metric}, {when}", scores[metric], interval)
        if "shown_over_time" in part:
            yield _row(name, split, part["n"], "right, share of the time", part["shown_over_time"])


def _beat_rows(report: dict[str, Any], split: str) -> Iterator[dict[str, Any]]:
    for name, part in report.items():
        for metric, what in _BEAT.items():
            yield _row(name, split, part["n"], what, part[metric], part.get(f"{metric}_95", ()))


def _key_rows(report: dict[str, Any], split: str) -> Iterator[dict[str, Any]]:
    for name, part in report.items():
        for metric in _KEY:
            if part.get(metric) is not None:
                n = part["n_held"] if metric == "held_through_drums" else part["n"]
                whole = metric not in ("weighted", "told_of_the_whole")  # a share of so many
                yield _row(name, split, n, metric, part[metric], wilson_interval(part[metric], n) if whole else ())


_ROWS = {"beat": _beat_rows, "genre": _genre_rows, "key": _key_rows, "tempo": _tempo_rows}


def _row(  # noqa: PLR0917 - the cells of a row, in order
    dataset: str, split: str, n: str | int, metric: str, value: float, interval: Sequence[float] = ()
) -> dict[str, Any]:
    row = {"dataset": dataset, "split": split, "n": n, "metric": metric, "value": round(value, 4)}
    return row | ({"interval": [round(float(end), 4) for end in interval]} if interval else {})


def commit() -> str:
    """Return the commit of the training code, marked with "+" if it was changed since."""
    folder = Path(__file__).parent
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "."], cwd=folder, check=False).returncode
    return (head.stdout.strip() or "unknown") + ("+" if changed else "")
