"""A microphone for machines without one: a private PulseAudio whose only input is what a test plays.

PulseAudio runs with nothing but a null sink, in folders of its own; PortAudio reaches its monitor as device ``pulse``
through ALSA's PulseAudio plug-in. Killing the server is a device that vanishes, starting it again one that returns.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import signal
import subprocess
import threading
from typing import IO, TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F32

SINK = "virtual"
RATE_HZ = 44_100
_START_LIMIT_S = 20.0
_READY = "Daemon startup complete"


def why_not() -> str:
    """Return why no capture can be tried here, or nothing."""
    missing = [name for name in ("pulseaudio", "paplay", "parec") if not shutil.which(name)]
    if missing:
        return f"{', '.join(missing)} missing (Debian: apt install pulseaudio pulseaudio-utils libasound2-plugins)"
    if not ctypes.util.find_library("portaudio"):
        return "PortAudio missing (Debian: apt install libportaudio2)"
    return ""


class Pulse:
    """One private PulseAudio. State: the server, the recorder that keeps its monitor awake, and the players."""

    def __init__(self, folder: Path) -> None:
        """Live in ``folder``; nothing is started yet."""
        (folder / "client.conf").write_text("autospawn = no\n")
        home = {"XDG_RUNTIME_DIR": folder, "HOME": folder, "PULSE_RUNTIME_PATH": folder / "pulse"}
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PULSE_")}
        self.env |= {key: str(path) for key, path in home.items()}
        self.env |= {"PULSE_CLIENTCONFIG": str(folder / "client.conf"), "PULSE_SOURCE": f"{SINK}.monitor"}
        self.rate_hz = RATE_HZ  # of the sink, from the next start on
        self._folder = folder
        self._server: subprocess.Popen[str] | None = None
        self._recorder: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server and wait until it says that it is up."""
        sink = f"module-null-sink sink_name={SINK} rate={self.rate_hz} channels=2"
        command = ["pulseaudio", "-n", "-v", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        command += ["--disallow-exit", "-L", sink, "-L", "module-native-protocol-unix auth-anonymous=1"]
        self._server = subprocess.Popen(command, env=self.env, stderr=subprocess.PIPE, text=True, errors="replace")
        assert self._server.stderr
        up, said = threading.Event(), list[str]()
        threading.Thread(target=_watch, args=(self._server.stderr, up, said), daemon=True).start()
        if not up.wait(_START_LIMIT_S) or _READY not in said[-1]:
            self.stop()
            msg = "PulseAudio did not start: " + " | ".join(said[-5:])
            raise RuntimeError(msg)
        record = ["parec", "-d", f"{SINK}.monitor", "--latency-msec=20"]
        self._recorder = subprocess.Popen(record, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def play(self, sound: F32, *, name: str = "loop") -> subprocess.Popen[bytes]:
        """Play float32 [samples, channels] at RATE_HZ into the sink, beside whatever plays already."""
        wav = self._folder / f"{name}.wav"
        soundfile.write(wav, sound, RATE_HZ, subtype="PCM_16")
        command = ["paplay", f"--device={SINK}", "--latency-msec=50", str(wav)]
        player = subprocess.Popen(command, env=self.env, stderr=subprocess.DEVNULL)
        self._players.append(player)
        return player

    def freeze(self) -> None:
        """Let the server hang: it exists, and answers nothing."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let the server go on."""
        assert self._server
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Take the server away at once, as a pulled cable would; its clients end with it."""
        for process in (self._server, self._recorder, *self._players):
            if process is None:
                continue
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        self._server, self._recorder, self._players = None, None, []

    stop = kill


def _watch(log: IO[str], up: threading.Event, said: list[str]) -> None:
    """Note what the server says until it is up, then keep its pipe empty until it ends."""
    with log:
        for line in log:
            if not up.is_set():
                said.append(line.strip())
                if _READY in line:
                    up.set()
    if not up.is_set():
        said.append("it ended")
        up.set()


def drum_loop(bpm: float, *, duration_s: float, seed: int = 0) -> F32:
    """Play kick, snare and hat on a plain 4/4 at ``bpm`` with a bass line: float32 [samples, 1] at RATE_HZ."""
    rng = np.random.default_rng(seed)
    beat = 60.0 / bpm
    t = np.arange(round(0.25 * RATE_HZ)) / RATE_HZ
    noise = rng.standard_normal(len(t))
    kick = np.sin(2 * np.pi * (45 * t + 4 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.09)
    snare = (0.6 * noise + 0.5 * np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.06)
    hat = np.diff(noise, prepend=0.0) * np.exp(-t / 0.02)
    out = np.zeros(round(duration_s * RATE_HZ) + len(t))
    bass_hz = (55.0, 55.0, 65.4, 49.0)
    for step in range(int(duration_s / beat * 2)):
        at = round(step * beat / 2 * RATE_HZ)
        on_beat, bar_beat = step % 2 == 0, step // 2 % 4
        bass = np.sign(np.sin(2 * np.pi * bass_hz[step // 8 % 4] * t)) * np.exp(-t / 0.2) * 0.15
        hit = 0.25 * hat * (1.0 if on_beat else 0.5) + bass
        if on_beat:
            hit = hit + 0.8 * kick + (0.5 * snare if bar_beat in {1, 3} else 0.0)
        out[at : at + len(t)] += hit
    out = 0.8 * np.tanh(out)[: round(duration_s * RATE_HZ), None]
    return np.asarray(out, np.float32)
