"""Settings: precedence, every check, errors that say where a wrong value came from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stream_analyzer.errors import ConfigError
from stream_analyzer.settings.config import Settings, load_settings
from stream_analyzer.system.address import MqttAddress


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
        ("tempo_range", "90-180", (90.0, 180.0)), ("tempo_range", " 87.5 - 175 ", (87.5, 175.0)),
        ("tempo_range", "any", None),
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
        ("tempo_range", "fast", "LO-HI"), ("tempo_range", "180-90", "LO-HI"), ("tempo_range", "10-100", "from 30"),
        ("tempo_range", "100-400", "to 300"), ("tempo_range", "90-179", "say 90-180"), ("tempo_range", 120, "text"),
        ("tempo_range", "nan-inf", "LO-HI"), ("tempo_range", "-90-180", "LO-HI"),
        ("speed", 10**400, "number"), ("tls_cert", "x" * 300, "existing file"), ("log", "x" * 300, "name of a file"),
        ("models", "x" * 300, "existing folder"),
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
    (tmp_path / "binary.toml").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings({}, file=tmp_path / "binary.toml", environment={})


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("", None), ("mqtt://", MqttAddress("localhost", 1883, tls=False)),
        ("mqtt://hall.example:1884/", MqttAddress("hall.example", 1884, tls=False)),
        ("mqtts://hall.example", MqttAddress("hall.example", 8883, tls=True)),
        ("mqtts://[::1]:1", MqttAddress("::1", 1, tls=True)),
    ],
)  # fmt: skip
def test_broker_addresses(value: str, parsed: MqttAddress | None) -> None:
    assert load_settings({"mqtt": value}, environment={}).mqtt == parsed


@pytest.mark.parametrize(
    "value",
    [
        "hall.example", "hall.example:1883", "http://hall.example", "mqtt://hall.example:0", "mqtt://hall.example:70000",
        "mqtt://hall.example/topic", "mqtt://hall.example?x", "mqtt://[::1", "mqtt://" + "a" * 70, "mqtt://a..b",
        "mqtt://a b", "mqtt://\udcff", 1883,
    ],
)  # fmt: skip
def test_bad_broker_addresses(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"mqtt = .*(mqtts://HOST|text)"):
        load_settings({"mqtt": value}, environment={})


@pytest.mark.parametrize(
    ("value", "names"), [("beat", {"beat"}), (" beat, ", {"beat"}), (["beat"], {"beat"}), ("", set())]
)
def test_types_for_the_broker(value: Any, names: set[str]) -> None:
    assert load_settings({"mqtt_also": value}, environment={}).mqtt_also == names


@pytest.mark.parametrize("value", ["tempo", "beat,rumour", 3, [3], ["spectrum"]])
def test_bad_types_for_the_broker(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"mqtt_also = .* must be of beat, joined by commas"):
        load_settings({"mqtt_also": value}, environment={})


@pytest.mark.parametrize(
    "value", ["mqtt://dj:hunter2@hall", "mqtt://hunter2@hall", "dj:hunter2@hall", "mqtt://dj:hunter/2@hall"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ConfigError, match="STREAM_ANALYZER_MQTT_PASSWORD") as caught:
        load_settings({"mqtt": value}, environment={})
    assert "hunter" not in str(caught.value)


def test_secrets_come_from_environment_or_file_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    user = {"STREAM_ANALYZER_MQTT_USER": "dj"}
    for flags, environment in (
        ({}, {"STREAM_ANALYZER_MQTT_PASSWORD": "hunter2"}),
        ({}, {"STREAM_ANALYZER_MQTT_PASSWORD_FILE": str(secret)}),
        ({"mqtt_password_file": str(secret)}, {"STREAM_ANALYZER_MQTT_PASSWORD": "another"}),
    ):
        settings = load_settings(flags, environment=user | environment)
        assert settings.mqtt_password == "hunter2"  # noqa: S105 - the one above
        assert "hunter2" not in repr(settings)
    with pytest.raises(ConfigError, match="--mqtt-password: every user") as caught:
        load_settings({"mqtt_password": "hunter2"}, environment=user)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"mqtt_password = \(hidden\) must be text"):
        load_settings({}, file=write(tmp_path, "mqtt_password = 123456"), environment=user)
    with pytest.raises(ConfigError, match=r"can't read mqtt_password_file = .*No such file"):
        load_settings({"mqtt_password_file": str(tmp_path / "none")}, environment=user)
    secret.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(ConfigError, match="must be a text file"):
        load_settings({"mqtt_password_file": str(secret)}, environment=user)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"mqtt": "mqtt://hall", "mqtt_ca": __file__}, "mqtt_ca is for TLS"),
        ({"mqtt": "mqtts://hall", "mqtt_key": __file__}, "mqtt_key is set without mqtt_cert"),
        ({"mqtt_ca": "/no/such/file"}, "existing file"), ({"node": "a/b"}, "letters, digits"),
        ({"node": ""}, "letters"),
        ({"mqtt_user": "\udcff"}, "UTF-8"), ({"mqtt_user": "a\0"}, "UTF-8"), ({"mqtt_user": "a" * 65_536}, "UTF-8"),
        ({"mqtt_discovery": "a" * 201}, "must be off or"), ({"mqtt_discovery": "a/#"}, "must be off or"),
        ({"mqtt_discovery": "/a"}, "must be off or"),
    ],
)  # fmt: skip
def test_broker_settings_that_make_no_sense(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_settings(settings, environment={})


def test_a_login_of_a_stream_stands_on_no_command_line() -> None:
    url = "https://dj:secret@radio.example/live"
    for given in (url, [f"deckA={url}", "deckB=demo"]):
        with pytest.raises(ConfigError, match="STREAM_ANALYZER_INPUT") as caught:
            load_settings({"input": given}, environment={})
        assert "secret" not in str(caught.value)
    assert load_settings({}, environment={"STREAM_ANALYZER_INPUT": url}).input == url
