"""Settings as clusters, editors and users without a home leave them."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import pytest

from stream_analyzer.errors import ConfigError
from stream_analyzer.settings.config import Settings, load_settings, state_folder

KUBERNETES = {  # of a Service named stream-analyzer, and of one named stream-analyzer-mqtt
    "STREAM_ANALYZER_SERVICE_HOST": "10.0.0.1",
    "STREAM_ANALYZER_SERVICE_PORT": "8765",
    "STREAM_ANALYZER_SERVICE_PORT_HTTP": "8765",
    "STREAM_ANALYZER_PORT": "tcp://10.0.0.1:8765",
    "STREAM_ANALYZER_PORT_8765_TCP": "tcp://10.0.0.1:8765",
    "STREAM_ANALYZER_PORT_8765_TCP_PROTO": "tcp",
    "STREAM_ANALYZER_PORT_8765_TCP_PORT": "8765",
    "STREAM_ANALYZER_PORT_8765_TCP_ADDR": "10.0.0.1",
    "STREAM_ANALYZER_PORT_9000_UDP_ADDR": "10.0.0.1",
    "STREAM_ANALYZER_MQTT_SERVICE_HOST": "10.0.0.2",
    "STREAM_ANALYZER_MQTT_PORT": "tcp://10.0.0.2:1883",
    "STREAM_ANALYZER_MQTT_PORT_1883_TCP": "tcp://10.0.0.2:1883",
}


def test_what_kubernetes_says_of_a_service_is_no_setting() -> None:
    assert load_settings({}, environment=KUBERNETES) == Settings()
    for name, value in KUBERNETES.items():
        assert load_settings({}, environment={name: value}) == Settings(), name


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "https://10.0.0.1"), ("MQTT", "tcp://10.0.0.1"), ("SERVICE", "1"), ("PORT_8765", "tcp://10.0.0.1:8765")],
)
def test_what_it_does_not_say_is_still_checked(name: str, value: str) -> None:
    with pytest.raises(ConfigError):
        load_settings({}, environment={f"STREAM_ANALYZER_{name}": value})


TOML = 'node = "hall"\r\nport = 9000\r\n'


@pytest.mark.parametrize(
    "data",
    [TOML.encode("utf-8-sig"), TOML.encode("utf-16"), codecs.BOM_UTF16_BE + TOML.encode("utf-16-be"), TOML.encode()],
    ids=["UTF-8 with a mark", "UTF-16", "UTF-16, big end first", "UTF-8"],
)
def test_files_as_editors_save_them(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "club.toml").write_bytes(data)
    settings = load_settings({}, file=tmp_path / "club.toml", environment={})
    assert (settings.node, settings.port) == ("hall", 9000)


def test_secrets_as_editors_save_them(tmp_path: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "token").write_bytes("a-token-for-this-test\r\n".encode(encoding))
        settings = load_settings({"token_file": str(tmp_path / "token")}, environment={})
        assert settings.token == "a-token-for-this-test"  # noqa: S105 - the one above


def test_a_file_in_another_encoding_is_told_where_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "club.toml").write_bytes('port = 1\ninput = "caf\xe9.wav"\n'.encode("cp1252"))
    with pytest.raises(ConfigError, match="line 2 is not UTF-8; save it as UTF-8"):
        load_settings({}, file=tmp_path / "club.toml", environment={})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def test_homes_are_found(home: Path) -> None:
    for name in ("models", "x.toml", "token"):
        (home / name).mkdir() if name == "models" else (home / name).write_text("")
    (home / "x.toml").write_text('input = "~/x.wav"\nmodels = "~/models"\n')
    settings = load_settings({}, file=Path("~/x.toml"), environment={})
    assert (settings.input, settings.models) == (str(home / "x.wav"), home / "models")
    assert load_settings({"input": "a~b.wav"}, environment={}).input == "a~b.wav"


@pytest.mark.parametrize("name", ["models", "tls_cert", "token_file", "input", "mqtt_ca"])
def test_a_home_that_nobody_has_is_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{name} = '~nosuch/x'") + ".*a home that nobody has here"):
        load_settings({name: "~nosuch/x"}, environment={})
    with pytest.raises(ConfigError, match=r"~nosuch/x\.toml.*a home that nobody has here"):
        load_settings({}, file=Path("~nosuch/x.toml"), environment={})


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: object) -> Path:
        msg = "Could not determine home directory."
        raise RuntimeError(msg)

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(ConfigError, match=r"no home.*STREAM_ANALYZER_TOKEN.*--token-file"):
        state_folder({})
    assert state_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/stream-analyzer")


@pytest.mark.parametrize(("value", "device"), [(3, "3"), (0, "0"), ("USB", "USB")])
def test_a_device_may_be_a_number(value: Any, device: str) -> None:
    assert load_settings({"device": value}, environment={}).device == device


@pytest.mark.parametrize("value", [True, 1.5, ["USB"]])
def test_and_nothing_else(value: Any) -> None:
    with pytest.raises(ConfigError, match="must be text"):
        load_settings({"device": value}, environment={})
