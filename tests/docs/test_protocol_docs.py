"""The Markdown reference, the schema and the code say the same of the stream."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stream_analyzer.protocol import subscription
from stream_analyzer.protocol.kinds import KINDS, SPECTRUM_HEADER, TYPES
from tests.support.real_process import ROOT, run_command

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = (ROOT / "docs" / "protocol.md").read_text()
SCHEMA = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
JSON_KINDS = [kind for kind in KINDS if kind != "spectrum"]
CODES = {"u8": "B", "u16": "H", "u64": "Q", "f64": "d"}


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    _, _, section = TEXT.partition(f"\n## {heading}\n")
    found = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", section.partition("\n## ")[0], re.MULTILINE)
    assert found, f"no table below {heading}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, alone or in `allOf`, and join what they lead to."""
    joined: dict[str, Any] = {}
    if "$ref" in schema:
        target: Any = SCHEMA
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        joined |= resolve(target)
    for part in schema.get("allOf", []):
        joined |= resolve(part)
    return joined | {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}


def name_type(schema: dict[str, Any]) -> str:
    """Return how the reference writes a type."""
    if "const" in schema:
        return str(schema["const"])
    if "oneOf" in schema:
        return " or ".join(name_type(resolve(one)) for one in schema["oneOf"])
    if "enum" in schema:
        words = [f"`{word}`" for word in schema["enum"]]
        return f"{', '.join(words[:-1])} or {words[-1]}"
    if schema["type"] == "array":
        inner = resolve(schema["items"])["type"]
        return "list" if inner == "object" else f"list of {inner}"
    return " or ".join(schema["type"]) if isinstance(schema["type"], list) else str(schema["type"])


def rows(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and type of every field."""
    schema = resolve(schema)
    for one in schema.get("oneOf", []):
        yield from rows(one, prefix)
    for name, inner in schema.get("properties", {}).items():
        found = resolve(inner)
        yield f"`{prefix}{name}`", name_type(found)
        yield from rows(found, f"{prefix}{name}.")
        if found.get("type") == "array":
            yield from rows(found["items"], f"{prefix}{name}[].")


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_each_message_is_written_down_as_the_schema_has_it(kind: str) -> None:
    data = SCHEMA["components"]["schemas"][kind]["properties"]["data"]
    assert sorted(tuple(row[:2]) for row in table(f"`{kind}`")) == sorted(rows(data))
    assert set(data["required"]) == set(data["properties"])


def test_the_envelope_too() -> None:
    envelope = SCHEMA["components"]["schemas"]["envelope"]
    assert [tuple(row[:2]) for row in table("Envelope")] == list(rows(envelope))
    assert envelope["propertyNames"]["enum"] == list(envelope["properties"]) == [*envelope["required"], "demo", "input"]


def test_the_schema_knows_every_kind_and_no_other() -> None:
    sent = [one["$ref"].rsplit("/", maxsplit=1)[1] for one in SCHEMA["operations"]["stream"]["messages"]]
    assert sorted(sent) == sorted(KINDS)
    assert set(SCHEMA["channels"]["stream"]["messages"]) == {*KINDS, "token", "wish"}
    assert set(SCHEMA["components"]["messages"]) == {*KINDS, "token", "wish", "availability"}


def test_the_parameters_are_those_that_are_read() -> None:
    query = SCHEMA["channels"]["stream"]["bindings"]["ws"]["query"]["properties"]
    documented = {row[0]: row[1] for row in table("Connect")}
    assert [name.strip("`") for name in documented] == list(query) == list(subscription._PARAMETERS)
    assert f"`{','.join(TYPES)}`" in documented["`types`"]
    assert (query["hz"]["minimum"], query["hz"]["maximum"]) == subscription.HZ
    assert re.fullmatch(query["since"]["pattern"], query["since"]["examples"][0])
    for examples in ("types=" + query["types"]["examples"][0], "since=" + query["since"]["examples"][0]):
        subscription.parse_subscription(examples)


def test_the_binary_header_is_right_to_the_byte() -> None:
    header, offset = "<", 0
    *fields, levels = table("`spectrum`")
    for at, length, code, *_ in fields:
        assert (int(at), int(length)) == (offset, struct.calcsize(CODES[code]))
        header, offset = header + CODES[code], offset + int(length)
    assert header == SPECTRUM_HEADER.format
    assert int(levels[0]) == SPECTRUM_HEADER.size


def test_references_stand_alone() -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            assert "$ref" not in node or len(node) == 1, "AsyncAPI ignores what stands beside a reference"
        for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            check(inner)

    check(SCHEMA)


def test_schema_prints_it() -> None:
    done = run_command("schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout) == SCHEMA
