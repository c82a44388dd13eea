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
from urllib.parse import urlsplit

from stream_analyzer.access import is_origin
from stream_analyzer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENV_PREFIX = "STREAM_ANALYZER_"
SLOWEST_BPM, FASTEST_BPM = 30.0, 300.0  # what the tempo model knows
PCM_FORMATS = ("s16le", "f32le")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_TOPIC_LIMIT = 200
_CREDENTIAL_LIMIT = 65_535
_TOKEN = re.compile(r"[!-~]{16,512}")
_CREDENTIALS = re.compile(r"(//|['\"]).*@")
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_FILE = "_file"
_COMMAND_LINE = "command line"
_RANGE = re.compile(r"\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*-\s*([0-9]{1,4}(?:\.[0-9]{1,4})?)\s*")
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


def _tempo_range(value: Any) -> tuple[float, float] | None:  # noqa: ANN401
    if value == "any":
        return None
    found = _RANGE.fullmatch(_text(value))
    low, high = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not SLOWEST_BPM <= low <= high <= FASTEST_BPM:
        msg = f"must be any, or LO-HI in BPM from {SLOWEST_BPM:g} to {FASTEST_BPM:g}, such as 90-180"
        raise ValueError(msg)
    if high < 2.0 * low:
        msg = f"is less than an octave: tempi would have no place in it; say {low:g}-{2.0 * low:g} or more"
        raise ValueError(msg)
    return low, high


def _folder(value: Any) -> Path:  # noqa: ANN401
    path = Path(_text(value)).expanduser()
    if not path.is_dir():
        msg = "must be an existing folder"
        raise ValueError(msg)
    return path


def _existing_file(value: Any) -> Path:  # noqa: ANN401
    path = Path(_text(value)).expanduser()
    if not path.is_file():
        msg = "must be an existing file"
        raise ValueError(msg)
    return path


@dataclass(frozen=True, slots=True)
class Address:
    """Where someone listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is shown to people."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class MqttAddress(Address):
    """Where an MQTT broker listens, and whether by TLS."""

    tls: bool


def _osc(value: Any) -> Address | None:  # noqa: ANN401
    if not _text(value):
        return None
    try:
        url = urlsplit(f"//{value}")
        host, port = url.hostname, url.port
        if host and port and url.netloc == value and url.username is None and host.encode("idna"):
            return Address(host, port)
    except ValueError:
        pass
    msg = "must be HOST:PORT"
    raise ValueError(msg)


def _mqtt(value: Any) -> MqttAddress | None:  # noqa: ANN401
    if not _text(value):
        return None
    try:
        url = urlsplit(value)
        host, port = url.hostname or "localhost", url.port
        host.encode("idna")
        if re.search(r"\s", host):
            url = urlsplit("")
    except ValueError:  # of which UnicodeError is one
        url, host, port = urlsplit(""), "", None
    if url.username is not None or "@" in value:
        msg = "must hold no user and no password, for every user of this machine can read them; "
        raise ValueError(msg + f"set {ENV_PREFIX}MQTT_USER and {ENV_PREFIX}MQTT_PASSWORD")
    if url.scheme not in _MQTT_PORTS or url.path not in ("", "/") or url.query or url.fragment or port == 0:
        msg = "must be mqtt://HOST, mqtts://HOST or the same with :PORT"
        raise ValueError(msg)
    return MqttAddress(host, port or _MQTT_PORTS[url.scheme], tls=url.scheme == "mqtts")


def _credential(value: Any) -> str:  # noqa: ANN401
    try:
        fits = len(_text(value).encode()) <= _CREDENTIAL_LIMIT and "\0" not in value
    except UnicodeEncodeError:
        fits = False
    if not fits:
        msg = f"must be UTF-8 text of at most {_CREDENTIAL_LIMIT} bytes"
        raise ValueError(msg)
    return str(value)


def _node(value: Any) -> str:  # noqa: ANN401
    if not _NODE.fullmatch(_text(value)):
        msg = "must be 1 to 64 letters, digits, - and _ (it becomes part of MQTT topics)"
        raise ValueError(msg)
    return str(value)


def _discovery(value: Any) -> str | None:  # noqa: ANN401
    if value == "off":
        return None
    if not _TOPIC.fullmatch(_text(value)) or len(value) > _TOPIC_LIMIT:
        msg = "must be off or the prefix that Home Assistant is set to, of letters, digits, -, _ and /"
        raise ValueError(msg)
    return str(value)


def _token(value: Any) -> str:  # noqa: ANN401
    if not _TOKEN.fullmatch(_text(value)):
        msg = "must be 16 to 512 printable characters without spaces; openssl rand -hex 16 makes one"
        raise ValueError(msg)
    return str(value)


def _origins(value: Any) -> frozenset[str]:  # noqa: ANN401
    origins = value.split(",") if isinstance(value, str) else value
    if not isinstance(origins, list) or not all(isinstance(o, str) and (o == "null" or is_origin(o)) for o in origins):
        msg = "must be origins as browsers send them, joined by commas: https://club.example,http://10.0.0.5:3000"
        raise ValueError(msg)
    return frozenset(origins)


def _setting(default: Any, parse: Callable[[Any], Any], text: str, *, secret: bool = False) -> Any:  # noqa: ANN401 - typed by the field
    return field(default=default, metadata={"parse": parse, "help": text, "secret": secret}, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of `run`; each field's help says what it means."""

    input: str = _setting("auto", _text, "device, demo, a sound file, or - for raw PCM on standard input")
    device: str = _setting("", _text, "sound device: its index or part of its name (see: stream-analyzer devices)")
    channel: int | None = _setting(None, _channel, "channel to listen to, from 1, or mix (all; the default)")
    tempo_range: tuple[float, float] | None = _setting(
        None, _tempo_range, "LO-HI in BPM: show tempi outside of it as the octave within, or any (the default)"
    )
    speed: float = _setting(1.0, _speed, "file and demo: 1 is real time, 0 as fast as possible")
    rate: int | None = _setting(None, _whole(4_000, 768_000), "sample rate in Hz, of raw PCM or asked of the device")
    channels: int | None = _setting(None, _whole(1, 64), "channel count, of raw PCM or asked of the device")
    format: str = _setting("s16le", _one_of(*PCM_FORMATS), "sample format of raw PCM: s16le or f32le")
    host: str = _setting("127.0.0.1", _host, "address to serve on")
    port: int = _setting(8765, _whole(0, 65_535), "port to serve on; 0 takes a free one")
    token: str = _setting(
        "", _token, "token that clients must show; made by itself where others can reach the port", secret=True
    )
    origins: frozenset[str] = _setting(
        frozenset(), _origins, "origins of other pages that may read the stream, by commas"
    )
    tls_cert: Path | None = _setting(None, _existing_file, "certificate chain (PEM), to serve by https and wss")
    tls_key: Path | None = _setting(None, _existing_file, "its private key (PEM)")
    max_clients: int = _setting(2000, _whole(1, 100_000), "WebSocket clients at most; more are told to try again later")
    max_per_address: int = _setting(100, _whole(1, 100_000), "connections at most from one address")
    json: bool = _setting(False, _flag, "write every message as one line to standard output")  # noqa: FBT003
    mqtt: MqttAddress | None = _setting(
        None, _mqtt, "MQTT broker to publish to: mqtt://HOST[:PORT], or mqtts:// for TLS"
    )
    mqtt_ca: Path | None = _setting(None, _existing_file, "CA certificate of the broker, if the system knows it not")
    mqtt_cert: Path | None = _setting(None, _existing_file, "client certificate for the broker")
    mqtt_key: Path | None = _setting(None, _existing_file, "its private key, if the certificate's file holds none")
    mqtt_user: str = _setting("", _credential, "user name for the broker")
    mqtt_password: str = _setting("", _credential, "password for the broker", secret=True)
    mqtt_discovery: str | None = _setting("homeassistant", _discovery, "prefix of Home Assistant's discovery, or off")
    osc: Address | None = _setting(None, _osc, "HOST:PORT to send OSC to, by UDP")
    node: str = _setting("", _node, "this analyzer's name in MQTT topics; the host's name if not set")
    models: Path | None = _setting(None, _folder, "folder with the models, if not the bundled ones")
    log_level: str = _setting("warning", _one_of(*_LOG_LEVELS), "debug, info, warning or error")

    def __post_init__(self) -> None:
        """Refuse settings that make no sense together."""
        tls_alone = [name for name in ("mqtt_ca", "mqtt_cert", "mqtt_key") if getattr(self, name)]
        if tls_alone and self.mqtt and not self.mqtt.tls:
            msg = f"{tls_alone[0]} is for TLS, but mqtt is mqtt://{self.mqtt}; set mqtts:// or leave {tls_alone[0]} out"
            raise ConfigError(msg)
        pairs = (("mqtt_key", "mqtt_cert"), ("mqtt_password", "mqtt_user"), ("tls_key", "tls_cert"))
        for one, other in (*pairs, ("tls_cert", "tls_key")):
            if getattr(self, one) and not getattr(self, other):
                msg = f"{one} is set without {other}; set both"
                raise ConfigError(msg)


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for what this program keeps from one start to the next."""
    base = environment.get("XDG_STATE_HOME") or environment.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".local" / "state") / "stream-analyzer"


def setting_help(name: str) -> str:
    """Return the help text of a setting."""
    return str(Settings.__dataclass_fields__[name].metadata["help"])


def is_secret(name: str) -> bool:
    """Tell whether a setting must not stand on a command line, in an error or in a log."""
    return bool(Settings.__dataclass_fields__[name].metadata["secret"])


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
        (_COMMAND_LINE, {name: value for name, value in flags.items() if value is not None}),
    ]
    for origin, layer in layers:
        for name, value in _with_secrets(layer, origin=origin):
            try:
                merged[name] = Settings.__dataclass_fields__[name].metadata["parse"](value)
            except (TypeError, ValueError) as error:
                shown = "(hidden)" if is_secret(name) else _CREDENTIALS.sub(r"\1***@", repr(value))
                msg = f"{origin}: {name} = {shown} {error}"
                raise ConfigError(msg) from error
    return Settings(**merged)


def _with_secrets(layer: dict[str, Any], *, origin: str) -> Iterator[tuple[str, Any]]:
    """Give known settings alone; a secret that stands in a file of its own is read, one on a command line refused."""
    known = {f.name for f in fields(Settings)}
    secrets = {name for name in known if is_secret(name)}
    for name, value in layer.items():
        plain = name.removesuffix(_FILE)
        if name in secrets and origin == _COMMAND_LINE:
            flag = "--" + name.replace("_", "-")
            msg = f"{flag}: every user of this machine can read a command line; "
            raise ConfigError(msg + f"set {ENV_PREFIX}{name.upper()}, or name a file that holds it with {flag}-file")
        if name != plain and plain in secrets:
            yield plain, _read_secret(value, name=name, origin=origin)
        elif name in known:
            yield name, value
        else:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(f.name for f in fields(Settings))}"
            msg = f"{origin}: unknown setting {name!r}; {hint}"
            raise ConfigError(msg)


def _read_secret(value: Any, *, name: str, origin: str) -> str:  # noqa: ANN401
    try:
        return Path(_text(value)).expanduser().read_text().rstrip("\r\n")
    except (OSError, TypeError, ValueError) as error:  # the last for what is no text
        reason = getattr(error, "strerror", None) or "it must be a text file"
        msg = f"{origin}: can't read {name} = {value!r}: {reason}; check the name and who may read it"
        raise ConfigError(msg) from error


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
