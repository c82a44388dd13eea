"""`docs/deploy.md` names only settings that are there, and files that can be read."""

from __future__ import annotations

import re

import yaml

from stream_analyzer.settings.config import Settings
from tests.support.real_process import ROOT

TEXT = (ROOT / "docs" / "deploy.md").read_text()
FOREIGN = {
    "--no-install-recommends", "--no-cache-dir", "--create-home", "--groups", "--device", "--rm", "--entrypoint",
    "--now", "--read-only", "--tmpfs", "--cap-drop", "--from-literal", "--no-deps",
}  # fmt: skip


def test_every_setting_is_one() -> None:
    names = {f"--{name.replace('_', '-')}" for name in Settings.__dataclass_fields__}
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) - FOREIGN
    assert flags <= names
    variables = set(re.findall(r"STREAM_ANALYZER_([A-Z_]+)", TEXT)) - {"PORT"}
    assert {name.lower() for name in variables} <= set(Settings.__dataclass_fields__)


def test_the_files_for_kubernetes_are_whole() -> None:
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "apiVersion" in block]
    kinds = {found["kind"]: found for block in blocks for found in yaml.safe_load_all(block)}
    assert set(kinds) == {"Deployment", "Service", "Ingress"}
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert kinds["Service"]["spec"]["selector"] == kinds["Deployment"]["spec"]["selector"]["matchLabels"] == labels
