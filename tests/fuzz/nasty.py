"""Values that nobody would write, put into places where a good file or message holds others."""

from __future__ import annotations

import json
import math
from typing import Any

_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 63, 10**400, -0.0, 1e-320, 1e308, math.inf, math.nan, "", "\ud800", "9" * 5000, [], {},
    [[[]]], {"": {}}, ["x", 1], "1", 0.5, [0.5] * 40,
)  # fmt: skip


def disturbed(value: dict[str, Any], changes: bytes) -> str:
    """A JSON text of ``value``, in which each two bytes of ``changes`` put something nasty into one place."""
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [value]
    while waiting:
        part = waiting.pop()
        names = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        places += [(part, name) for name in names]
        waiting += [part[name] for name in names]
    for where, what in zip(changes[::2], changes[1::2], strict=False):
        part, name = places[where % len(places)]
        part[name] = _VALUES[what % len(_VALUES)]
    return json.dumps(value)


TOML_VALUES = (
    "1", "-1", "0", "true", "1e999", "nan", "inf", f"1{'0' * 400}", '""', '" "', "'~nobody'", "'~'", "[]", "[1]",
    "['']", "{}", "[[]]", "1979-05-27", r'"\u0000"', r'"\uFFFF"', "'a,b'", "'//@'", "'mqtt://[::1'", "'[::1]:0'",
    f"'{'x' * 5000}'", "['a', ['b']]", "'1-1'", "'nan-inf'", r'"host:\u0663"', "'.'", "'/dev/null'",
)  # fmt: skip
