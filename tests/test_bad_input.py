"""Bad files, settings and standard input: one line that says what is wrong and what to do, the right exit code."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from tests.support.encoded import encoded
from tests.support.fakes import drum_loop
from tests.support.one_command import Command, plain_command, run_flags
from tests.support.real_process import COMMAND, environment, run_command

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 44_100
NEVER_OPENED = ("text.wav", "empty.wav", "one-sample.wav", "no-samples.wav", "header-only.wav")
BROKEN_FILES = (*NEVER_OPENED, "cut.ogg")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sound files that are broken in different ways, and a good one to break them from."""
    folder = tmp_path_factory.mktemp("files")
    song = drum_loop(4.0, rate_hz=RATE_HZ)
    for name in ("good.wav", "good.ogg", "good.flac"):
        soundfile.write(folder / name, song, RATE_HZ)
    wav, ogg, flac = ((folder / f"good.{end}").read_bytes() for end in ("wav", "ogg", "flac"))
    (folder / "text.wav").write_text("RIFF is what this is not\n" * 50)
    (folder / "empty.wav").write_bytes(b"")
    soundfile.write(folder / "one-sample.wav", song[:1], RATE_HZ)
    soundfile.write(folder / "no-samples.wav", song[:0], RATE_HZ)
    (folder / "header-only.wav").write_bytes(wav[:44])
    (folder / "cut.ogg").write_bytes(ogg[: len(ogg) // 4])
    (folder / "damaged.flac").write_bytes(flac[: len(flac) // 3] + bytes(len(flac) // 3) + flac[2 * len(flac) // 3 :])
    return folder


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return plain_command(capfd, monkeypatch)


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_analyze_says_what_is_wrong_with_a_broken_file_and_goes_on(command: Command, files: Path, name: str) -> None:
    code, err, out = command("analyze", "--json", str(files / name), str(files / "good.wav"))
    assert (code, len(err)) == (1, 1), err
    assert err[0].startswith(f"stream-analyzer: {files / name}: ")
    assert [json.loads(line)["file"] for line in out.splitlines()] == [str(files / "good.wav")]


def test_analyze_says_what_it_heard_of_a_file_that_breaks_off(command: Command, tmp_path: Path) -> None:
    good, cut = tmp_path / "good.flac", tmp_path / "cut.flac"
    soundfile.write(good, drum_loop(12.0, rate_hz=RATE_HZ), RATE_HZ)
    cut.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    code, err, out = command("analyze", "--json", str(cut), str(good))
    assert (code, len(err)) == (1, 1), err
    first, second = (json.loads(line) for line in out.splitlines())
    assert err[0] == f"stream-analyzer: {first['broken']}"
    assert f"{cut}: breaks off: {first['duration_s']:.1f} s of 12.0 s" in err[0]
    assert first["tempo"]["bpm"] == pytest.approx(120.0, rel=0.02)
    assert "broken" not in second


@pytest.mark.parametrize("name", NEVER_OPENED)
def test_run_refuses_a_broken_file_before_it_serves(command: Command, files: Path, name: str) -> None:
    command.fails(*run_flags("--input", str(files / name)), code=3, says=(name,))


def test_run_ends_with_an_error_where_a_file_breaks_off(command: Command, files: Path) -> None:
    code, err, _ = command(*run_flags("--input", str(files / "damaged.flac")))
    assert (code, len(err)) == (3, 2), err
    assert "http://" in err[0]
    assert "breaks off" in err[1]


@pytest.mark.parametrize("how", ["missing", "folder", "pipe", "loop", "too long", "under a file", "NUL"])
def test_path_that_is_no_file(command: Command, tmp_path: Path, how: str) -> None:
    path = tmp_path / {"too long": "x" * 300, "under a file": "file/below"}.get(how, "odd")
    (tmp_path / "file").write_text("")
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "loop":
        path.symlink_to(path)
    elif how == "NUL":
        settings = tmp_path / "settings.toml"
        settings.write_text('input = "a\\u0000b"\n')
        command.fails("run", "--port", "0", "--config", str(settings), code=3, says=("check the name",))
        return
    command.fails("analyze", str(path), code=1, says=(str(path),))
    command.fails(*run_flags("--input", str(path)), code=3, says=(str(path),))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission(command: Command, files: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    shutil.copy(files / "good.wav", secret)
    secret.chmod(0)
    command.fails("analyze", str(secret), code=1, says=(str(secret),))


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 32_000, 48_000, 88_200, 96_000, 192_000])
def test_any_sample_rate_is_analysed(command: Command, tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "song.wav", drum_loop(4.0, rate_hz=rate_hz), rate_hz)
    check_result(command, tmp_path / "song.wav")


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 6, 8])
def test_any_channel_count_is_analysed(command: Command, tmp_path: Path, channels: int) -> None:
    soundfile.write(tmp_path / "song.wav", drum_loop(4.0, rate_hz=RATE_HZ, channels=channels), RATE_HZ)
    check_result(command, tmp_path / "song.wav")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"])
def test_any_sample_format_is_analysed(command: Command, tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "song.wav", drum_loop(4.0, rate_hz=RATE_HZ), RATE_HZ, subtype=subtype)
    check_result(command, tmp_path / "song.wav")


def check_result(command: Command, path: Path) -> None:
    code, err, out = command("analyze", "--json", str(path))
    assert (code, err) == (0, [])
    result = json.loads(out)
    assert result["duration_s"] == pytest.approx(4.0, abs=0.1)
    assert result["tempo"] is not None
    assert 0.0 <= result["music"] <= 1.0  # four seconds of bare drums need not pass for music


@pytest.mark.parametrize("rate_hz", [1, 2_000, 1_000_000])
def test_rate_beyond_any_use_is_refused(command: Command, tmp_path: Path, rate_hz: int) -> None:
    soundfile.write(tmp_path / "odd.wav", np.zeros(max(10, rate_hz)), rate_hz)
    command.fails("analyze", str(tmp_path / "odd.wav"), code=1, says=(f"{rate_hz} Hz", "resample"))


def test_patterns_are_filled_in_where_no_shell_does(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.wav", "a.wav", "[live] *.wav"):
        soundfile.write(tmp_path / name, drum_loop(4.0, rate_hz=RATE_HZ), RATE_HZ)
    for pattern, meant in (("?.wav", ["a.wav", "b.wav"]), ("[live] *.wav", ["[live] *.wav"])):
        code, err, out = command("analyze", "--json", pattern)
        assert (code, err) == (0, [])
        assert [json.loads(line)["file"] for line in out.splitlines()] == meant
    command.fails("analyze", "*.mp3", code=1, says=("*.mp3: No such file",))


def test_samples_that_are_no_sound_are_silence_and_counted(command: Command, tmp_path: Path) -> None:
    song = drum_loop(4.0, rate_hz=RATE_HZ)
    song[1000:1010], song[20_000], song[20_001], song[50_000] = np.nan, np.inf, -np.inf, 3e38
    soundfile.write(tmp_path / "song.wav", song, RATE_HZ, subtype="FLOAT")
    code, err, out = command(*run_flags("--json", "--input", str(tmp_path / "song.wav")))
    messages = [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]
    assert (code, len(err)) == (0, 1)
    assert [m for m in messages if m["type"] == "status"][-1]["data"]["nonfinite"] == 13
    assert messages[-1]["data"]["tempo"] is not None


@pytest.mark.parametrize("name", ["run", "analyze"])
def test_channel_that_the_sound_lacks(command: Command, files: Path, name: str) -> None:
    good = str(files / "good.wav")
    if name == "run":
        command.fails(*run_flags("--channel", "2", "--input", good), code=2, says=("channel = 2", "has 1"))
    else:
        command.fails("analyze", "--channel", "2", good, code=1, says=("has 1", "not 2"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port = ", ("not TOML",)),
        ("[server]\nport = 1\n", ("'server'", "known are")),
        ("prot = 1\n", ("'prot'", "did you mean port?")),
        ("port = 70000\n", ("port = 70000", "0 to 65535")),
        ('speed = "fast"\n', ("'fast'", "number")),
        ("channel = 0\n", ("channel = 0", "mix")),
        ('models = "/no/such/folder"\n', ("/no/such/folder", "folder")),
        ("input = 3\n", ("input = 3", "text")),
    ],
)
def test_settings_file_with_a_fault(command: Command, tmp_path: Path, text: str, says: tuple[str, ...]) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    command.fails("run", "--config", str(file), code=2, says=("settings.toml", *says))


@pytest.mark.parametrize("how", ["missing", "folder", "binary"])
def test_settings_file_that_can_not_be_read(command: Command, tmp_path: Path, how: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    path = tmp_path if how == "folder" else tmp_path / how
    command.fails("run", "--config", str(path), code=2, says=(str(path),))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("PROT", "1", "'prot'"), ("PORT", "", "port = ''"), ("JSON", "perhaps", "'perhaps'"), ("HOST", " ", "host")],
)
def test_environment_with_a_fault(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"STREAM_ANALYZER_{name}", value)
    command.fails("run", code=2, says=("environment", says))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--port", "70000"), "port = '70000'"),
        (("--port", "-1"), "port = '-1'"),
        (("--speed", "-1"), "speed = '-1'"),
        (("--channels", "0"), "channels = '0'"),
        (("--rate", "1e5"), "rate = '1e5'"),
        (("--format", "s24le"), "s16le, f32le"),
        (("--log-level", "loud"), "'loud'"),
        (("--models", "/no/such/folder"), "/no/such/folder"),
    ],
)
def test_flag_with_a_fault(command: Command, flags: tuple[str, ...], says: str) -> None:
    command.fails("run", *flags, code=2, says=("command line", says))


@pytest.mark.parametrize("arguments", [(), ("bogus",), ("run", "--bogus"), ("analyze",)])
def test_command_line_that_makes_no_sense(command: Command, arguments: tuple[str, ...]) -> None:
    command.fails(*arguments, code=2, says=("--help",))


@pytest.fixture
def no_portaudio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sounddevice fail as it does where the PortAudio library is missing."""
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)


@pytest.mark.usefixtures("no_portaudio")
def test_missing_portaudio_names_the_package_and_files_still_work(command: Command, files: Path) -> None:
    for arguments in (("devices",), run_flags("--input", "device")):
        command.fails(*arguments, code=3, says=("libportaudio2",))
    command.fails(*run_flags("--device", "USB"), code=3, says=("libportaudio2",))
    code, err, _ = command(*run_flags("--input", "any"))
    assert (code, len(err)) == (0, 2)
    assert "libportaudio2" in err[0]
    assert "demo" in err[0]
    assert command("analyze", str(files / "good.wav"))[0] == 0


def test_port_in_use(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command.fails("run", "--input", "demo", "--port", port, code=2, says=(port, "in use", "--port"))


def test_address_that_is_not_ours(command: Command) -> None:
    command.fails(*run_flags("--input", "demo", "--host", "192.0.2.1"), code=2, says=("192.0.2.1", "--host"))


def pcm(*flags: str, content: bytes) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
    done = run_command("run", "--port", "0", "--json", "--input", "-", *flags, stdin=content)
    return done, [json.loads(line, parse_constant=pytest.fail) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("content", [b"", b"\0\0\0"], ids=["nothing", "less than one sample"])
def test_standard_input_that_ends_at_once(content: bytes) -> None:
    done, _ = pcm(content=content)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 2
    assert "standard input ended before any sound came" in done.stderr


def test_pcm_of_odd_length_is_heard_up_to_its_last_whole_sample() -> None:
    done, messages = pcm(content=b"\0" * (4 * RATE_HZ + 3))
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert messages[-1]["data"]["duration_s"] == pytest.approx(1.0)


def test_random_bits_as_floats_do_no_harm() -> None:
    content = np.random.default_rng(1).bytes(4 * RATE_HZ * 4)
    done, messages = pcm("--format", "f32le", "--channels", "1", content=content)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert [m for m in messages if m["type"] == "status"][-1]["data"]["nonfinite"] > 0


@pytest.mark.parametrize(
    ("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame"), ("adts", "aac")]
)
def test_a_container_on_standard_input_is_decoded(container: str, codec: str) -> None:
    song = drum_loop(9.0, bpm=126.0, rate_hz=48_000)
    done, messages = pcm(content=encoded(song, 48_000, container, codec, piped=True))
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert messages[-1]["data"]["duration_s"] == pytest.approx(9.0, abs=0.1)
    assert messages[-1]["data"]["tempo"]["bpm"] == pytest.approx(126.0, rel=0.01)


def test_closed_standard_input_is_said_so() -> None:
    shell = 'exec "$0" "$@" <&-'
    arguments = ["sh", "-c", shell, *COMMAND, "run", "--port", "0", "--input", "-"]
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
    assert "standard input is closed" in done.stderr
