"""Every setting, its default and its check, once. Defaults < TOML file < environment < flags."""

from __future__ import annotations

import codecs
import difflib
import os
import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_analyzer.errors import ConfigError
from stream_analyzer.settings import readers as values
from stream_analyzer.settings.inputs import NamedInput, read_inputs
from stream_analyzer.settings.readers import COMMAND_LINE, ENV_PREFIX
from stream_analyzer.sound.media import RATES_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stream_analyzer.serving.web.proxies import Network
    from stream_analyzer.system.address import MqttAddress, OscReceiver

PCM_FORMATS = ("s16le", "f32le")
_CREDENTIALS = re.compile(r"(//|['\"]).*@")
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_NAME = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_URL = re.compile(r".*_PORT=(tcp|udp|sctp)://.*")
_FILE = "_file"
_LOG_LEVELS = ("debug", "info", "warning", "error")


def _setting(default: Any, parse: Callable[[Any], Any], text: str, *, secret: bool = False) -> Any:  # noqa: ANN401 - typed by the field
    return field(default=default, metadata={"parse": parse, "help": text, "secret": secret}, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of `run`; each field's help says what it means."""

    input: str = _setting(
        "auto",
        values.source,
        "device, any (a device, else the demo), demo, phone, a file, a URL, or - for PCM or a file on standard input; "
        "several at once by NAME=SOURCE[#CHANNELS], given again for each",
    )
    device: str = _setting(
        "", values.device, "sound device: its index or part of its name (see: stream-analyzer devices)"
    )
    channel: int | None = _setting(None, values.channel, "channel to listen to, from 1, or mix (all; the default)")
    tempo_range: tuple[float, float] | None = _setting(
        None, values.tempo_range, "LO-HI in BPM: show tempi outside of it as the octave within, or any (the default)"
    )
    speed: float = _setting(1.0, values.speed, "file and demo: 1 is real time, 0 as fast as possible")
    rate: int | None = _setting(None, values.whole(*RATES_HZ), "sample rate in Hz, of raw PCM or asked of the device")
    channels: int | None = _setting(None, values.whole(1, 64), "channel count, of raw PCM or asked of the device")
    format: str = _setting("s16le", values.one_of(*PCM_FORMATS), "sample format of raw PCM: s16le or f32le")
    host: str = _setting("127.0.0.1", values.host, "address to serve on")
    port: int = _setting(8765, values.whole(0, 65_535), "port to serve on; 0 takes a free one")
    token: str = _setting(
        "", values.token, "token that clients must show; made by itself where others can reach the port", secret=True
    )
    origins: frozenset[str] = _setting(
        frozenset(), values.origins, "origins of other pages that may read the stream, by commas"
    )
    allowed_hosts: frozenset[str] = _setting(
        frozenset(), values.hosts, "names under which a proxy serves it, by commas; for 127.0.0.1 there are no others"
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        (), values.networks, "addresses or networks of proxies that may say for whom they ask, by commas"
    )
    tls_cert: Path | None = _setting(None, values.existing_file, "certificate chain (PEM), to serve by https and wss")
    tls_key: Path | None = _setting(None, values.existing_file, "its private key (PEM)")
    max_clients: int = _setting(
        2000, values.whole(1, 100_000), "WebSocket clients at most; more are told to try again later"
    )
    max_per_address: int = _setting(100, values.whole(1, 100_000), "connections at most from one address")
    json: bool = _setting(False, values.flag, "write every message as one line to standard output")  # noqa: FBT003
    mqtt: MqttAddress | None = _setting(
        None, values.mqtt, "MQTT broker to publish to: mqtt://HOST[:PORT], or mqtts:// for TLS"
    )
    mqtt_ca: Path | None = _setting(
        None, values.existing_file, "CA certificate of the broker, if the system knows it not"
    )
    mqtt_cert: Path | None = _setting(None, values.existing_file, "client certificate for the broker")
    mqtt_key: Path | None = _setting(
        None, values.existing_file, "its private key, if the certificate's file holds none"
    )
    mqtt_user: str = _setting("", values.credential, "user name for the broker")
    mqtt_password: str = _setting("", values.credential, "password for the broker", secret=True)
    mqtt_discovery: str | None = _setting(
        "homeassistant", values.discovery, "prefix of Home Assistant's discovery, or off"
    )
    mqtt_also: frozenset[str] = _setting(
        frozenset(), values.asked_kinds, "types that go to the broker only where they are named here, by commas: beat"
    )
    osc: tuple[OscReceiver, ...] = _setting(
        (), values.osc, "where to send OSC, by UDP: HOST:PORT, or HOST:PORT/ADDRESS?bpm=LO-HI&to=LO-HI; commas between"
    )
    midi: str = _setting("", values.text, "MIDI port to send clock to: a part of its name, or virtual to make one")
    link: bool = _setting(False, values.flag, "lead an Ableton Link session: tempo and beat")  # noqa: FBT003
    node: str = _setting("", values.node, "this analyzer's name in MQTT topics; the host's name if not set")
    log: str = _setting("", values.log, "file of the set log, or off; if not set, it is among this user's state")
    log_days: int = _setting(400, values.whole(1, 100_000), "days for which sets are kept")
    log_mb: int = _setting(1000, values.whole(10, 10_000_000), "megabytes of the set log at most; the oldest sets go")
    models: Path | None = _setting(None, values.folder, "folder with the models, if not the bundled ones")
    log_level: str = _setting("warning", values.one_of(*_LOG_LEVELS), "debug, info, warning or error")
    inputs: tuple[NamedInput, ...] = ()  # several of what `input` is, where it is said so; read with it

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


SETTINGS = tuple(name for name, one in Settings.__dataclass_fields__.items() if one.metadata)


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for what this program keeps from one start to the next."""
    base = environment.get("XDG_STATE_HOME") or environment.get("LOCALAPPDATA")
    at_home = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "state")
    try:
        return (Path(base) if base else Path.home().joinpath(*at_home)) / "stream-analyzer"
    except RuntimeError as error:
        msg = "this user has no home where a token could be kept; "
        raise ConfigError(msg + f"set XDG_STATE_HOME or {ENV_PREFIX}TOKEN, or name a file with --token-file") from error


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
        (COMMAND_LINE, {name: value for name, value in flags.items() if value is not None}),
    ]
    for origin, layer in layers:
        for name, value in _with_secrets(layer, origin=origin):
            if name == "input":
                merged |= read_inputs(value, origin=origin, parse=_parse)
                continue
            merged[name] = _parse(name, value, origin)
    return Settings(**merged)


def _parse(name: str, value: Any, origin: str) -> Any:  # noqa: ANN401
    """Return the checked value of a setting."""
    try:
        return Settings.__dataclass_fields__[name].metadata["parse"](value)
    except (TypeError, ValueError) as error:
        shown = "(hidden)" if is_secret(name) else _CREDENTIALS.sub(r"\1***@", repr(value))
        msg = f"{origin}: {name} = {shown} {error}"
        raise ConfigError(msg) from error


def _with_secrets(layer: dict[str, Any], *, origin: str) -> Iterator[tuple[str, Any]]:
    """Give known settings alone; a secret that stands in a file of its own is read, one on a command line refused."""
    known = set(SETTINGS)
    secrets = {name for name in known if is_secret(name)}
    for name, value in layer.items():
        plain = name.removesuffix(_FILE)
        if name in secrets and origin == COMMAND_LINE:
            flag = "--" + name.replace("_", "-")
            msg = f"{flag}: every user of this machine can read a command line; "
            raise ConfigError(msg + f"set {ENV_PREFIX}{name.upper()}, or name a file that holds it with {flag}-file")
        if name != plain and plain in secrets:
            yield plain, _read_secret(value, name=name, origin=origin)
        elif name in known:
            yield name, value
        else:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(SETTINGS)}"
            msg = f"{origin}: unknown setting {name!r}; {hint}"
            raise ConfigError(msg)


def _read_secret(value: Any, *, name: str, origin: str) -> str:  # noqa: ANN401
    try:
        return _read_text(values.path(value)).rstrip("\r\n")
    except (OSError, TypeError, ValueError) as error:
        not_text = isinstance(error, UnicodeDecodeError)
        reason = getattr(error, "strerror", None) or ("it must be a text file" if not_text else f"it {error}")
        msg = f"{origin}: can't read {name} = {value!r}: {reason}; check the name and who may read it"
        raise ConfigError(msg) from error


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read_text(values.path(str(file))))
    except OSError as error:
        msg = f"can't read settings file {file}: {error.strerror}; check --config"
        raise ConfigError(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"settings file {file} is not TOML: {error}; mend that line"
        raise ConfigError(msg) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        msg = f"settings file {file} is not TOML: line {line} is not UTF-8; save it as UTF-8"
        raise ConfigError(msg) from error
    except ValueError as error:
        msg = f"settings file {file} {error}"
        raise ConfigError(msg) from error


def _read_text(path: Path) -> str:
    """Read text as editors save it: in UTF-8, on Windows also with a byte order mark or in UTF-16."""
    data = path.read_bytes()
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf_16 else "utf-8-sig").replace("\r\n", "\n")


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Give what is meant for this program; Kubernetes and Docker set more for a service of its name."""
    return {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(ENV_PREFIX)
        and not _SERVICE_NAME.fullmatch(name)
        and not _SERVICE_URL.fullmatch(f"{name}={value}")
    }
