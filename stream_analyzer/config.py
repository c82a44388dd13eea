"""Every setting, its default and its check, once. Defaults < TOML file < environment < flags."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_analyzer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENV_PREFIX = "STREAM_ANALYZER_"
PCM_FORMATS = ("s16le", "f32le")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_LOG_LEVELS = ("debug", "info", "warning", "error")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def _text(value: Any) -> str:  # noqa: ANN401 - raw settings come as whatever TOML holds
    if not isinstance(value, str):
        msg = "must be text"
        raise TypeError(msg)
    return value


def _host(value: Any) -> str:  # noqa: ANN401
    if not _text(value).strip():
        msg = "must name an address; 0.0.0.0 serves on all"
        raise ValueError(msg)
    return str(value)


def _flag(value: Any) -> bool:  # noqa: ANN401
    word = str(value).lower()
    if word not in (*_TRUE, *_FALSE):
        msg = "must be true or false"
        raise ValueError(msg)
    return word in _TRUE


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:  # noqa: ANN401
        number = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            msg = f"must be a whole number from {low} to {high}"
            raise ValueError(msg)
        return number

    return parse


def _speed(value: Any) -> float:  # noqa: ANN401
    try:
        speed = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        speed = math.nan
    if not 0.0 <= speed <= 1000.0:  # noqa: PLR2004 - the limit stands in the message below
        msg = "must be a number from 0 (as fast as possible) to 1000; 1 is real time"
        raise ValueError(msg)
    return speed


def _one_of(*words: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:  # noqa: ANN401
        if value not in words:
            msg = f"must be one of {', '.join(words)}"
            raise ValueError(msg)
        return str(value)

    return parse


def _channel(value: Any) -> int | None:  # noqa: ANN401
    if value == "mix":
        return None
    try:
        return _whole(1, 64)(value)
    except ValueError:
        msg = "must be 'mix' or the number of a channel, from 1"
        raise ValueError(msg) from None


def _folder(value: Any) -> Path:  # noqa: ANN401
    path = Path(_text(value)).expanduser()
    if not path.is_dir():
        msg = "must be an existing folder"
        raise ValueError(msg)
    return path


def _setting(default: Any, parse: Callable[[Any], Any], text: str) -> Any:  # noqa: ANN401 - typed by the field
    return field(default=default, metadata={"parse": parse, "help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of `run`; each field's help says what it means."""

    input: str = _setting("auto", _text, "device, demo, a sound file, or - for raw PCM on standard input")
    device: str = _setting("", _text, "sound device: its index or part of its name (see: stream-analyzer devices)")
    channel: int | None = _setting(None, _channel, "channel to listen to, from 1, or mix (all; the default)")
    speed: float = _setting(1.0, _speed, "file and demo: 1 is real time, 0 as fast as possible")
    rate: int | None = _setting(None, _whole(4_000, 768_000), "sample rate in Hz, of raw PCM or asked of the device")
    channels: int | None = _setting(None, _whole(1, 64), "channel count, of raw PCM or asked of the device")
    format: str = _setting("s16le", _one_of(*PCM_FORMATS), "sample format of raw PCM: s16le or f32le")
    host: str = _setting("127.0.0.1", _host, "address to serve on")
    port: int = _setting(8765, _whole(0, 65_535), "port to serve on; 0 takes a free one")
    json: bool = _setting(False, _flag, "write every message as one line to standard output")  # noqa: FBT003
    models: Path | None = _setting(None, _folder, "folder with the models, if not the bundled ones")
    log_level: str = _setting("warning", _one_of(*_LOG_LEVELS), "debug, info, warning or error")


def setting_help(name: str) -> str:
    """Return the help text of a setting."""
    return str(next(f for f in fields(Settings) if f.name == name).metadata["help"])


def load_settings(
    flags: Mapping[str, Any], *, file: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Merge and check all sources of settings.

    Raises
    ------
    ConfigError
        Unreadable or malformed file, unknown key, or a value out of range; names the key, the value and its source.
    """
    merged: dict[str, Any] = {}
    layers: list[tuple[str, dict[str, Any]]] = [
        (str(file), _read_toml(file) if file else {}),
        ("environment", _read_environment(environment)),
        ("command line", {name: value for name, value in flags.items() if value is not None}),
    ]
    known = {f.name: f for f in fields(Settings)}
    for origin, layer in layers:
        for name, value in layer.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
                msg = f"{origin}: unknown setting {name!r}; {hint}"
                raise ConfigError(msg)
            try:
                merged[name] = known[name].metadata["parse"](value)
            except (TypeError, ValueError) as error:
                msg = f"{origin}: {name} = {value!r} {error}"
                raise ConfigError(msg) from error
    return Settings(**merged)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        msg = f"can't read settings file {file}: {error.strerror}; check --config"
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"settings file {file} is not TOML: {error}; mend that line"
        raise ConfigError(msg) from error


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(ENV_PREFIX)
    }
