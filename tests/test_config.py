"""Settings: precedence, every check, errors that say where a wrong value came from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stream_analyzer.config import Settings, load_settings
from stream_analyzer.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def test_defaults() -> None:
    assert load_settings({}, environment={}) == Settings()


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'port = 1\nhost = "file"\ndevice = "file"\nspeed = 0')
    environment = {"STREAM_ANALYZER_PORT": "2", "STREAM_ANALYZER_HOST": "environment", "HOME": "x"}
    settings = load_settings({"port": "3", "input": None}, file=file, environment=environment)
    assert (settings.port, settings.host, settings.device, settings.speed) == (3, "environment", "file", 0.0)


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("port", 0, 0), ("port", "65535", 65535), ("channel", "mix", None), ("channel", 2, 2), ("channel", "2", 2),
        ("speed", "0.5", 0.5), ("json", True, True), ("json", "off", False), ("rate", "48000", 48000),
        ("format", "f32le", "f32le"), ("log_level", "debug", "debug"), ("models", ".", Path()),
    ],
)  # fmt: skip
def test_good_values(name: str, value: Any, parsed: Any) -> None:
    assert getattr(load_settings({name: value}, environment={}), name) == parsed


@pytest.mark.parametrize(
    ("name", "value", "what_to_do"),
    [
        ("port", "http", "whole number from 0 to 65535"), ("port", 65536, "0 to 65535"), ("port", -1, "0 to 65535"),
        ("port", 1.5, "whole number"), ("port", True, "whole number"), ("speed", "-1", "0 (as fast as possible)"),
        ("speed", "nan", "number"), ("speed", True, "number"), ("channel", 0, "from 1"), ("channel", "left", "'mix'"),
        ("rate", 100, "4000"), ("channels", 0, "1 to 64"), ("format", "s24le", "s16le, f32le"),
        ("json", "maybe", "true"), ("log_level", "loud", "debug"),
        ("models", "/no/such/folder", "existing folder"), ("host", 5, "text"),
    ],
)  # fmt: skip
def test_bad_values_are_named(name: str, value: Any, what_to_do: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({name: value}, environment={})
    message = str(caught.value)
    assert message.startswith(f"command line: {name} = {value!r}")
    assert what_to_do in message


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        ({}, {"STREAM_ANALYZER_PROT": "1"}, "environment: unknown setting 'prot'; did you mean port?"),
        ({}, {"STREAM_ANALYZER_PORT": "x"}, "environment: port = 'x' must be"),
        ({"zzzz": 1}, {}, "command line: unknown setting 'zzzz'; known are input, device"),
    ],
)
def test_errors_name_their_source(flags: dict[str, Any], environment: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        load_settings(flags, environment=environment)


@pytest.mark.parametrize(
    ("text", "expected"), [("port = ", "is not TOML"), ("prot = 1", "did you mean port?"), ("port = 'x'", "port = 'x'")]
)
def test_bad_files(tmp_path: Path, text: str, expected: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(expected)) as caught:
        load_settings({}, file=file, environment={})
    assert str(file) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't read settings file"):
        load_settings({}, file=tmp_path / "none.toml", environment={})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings({}, file=tmp_path / "binary.toml", environment={})
