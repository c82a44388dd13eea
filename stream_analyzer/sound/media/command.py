"""The program `ffmpeg`, where PyAV is not installed: it reads a file, an address or what we hand it, and writes PCM."""

from __future__ import annotations

import re
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.media import READ_LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.sound.media import Input, Readable
    from stream_analyzer.types import F32

_COMMAND = ("ffmpeg", "-hide_banner", "-nostdin", "-v")
_SOUND = re.compile(r"Stream #0:.*Audio: .*?(\d+) Hz, (mono|stereo|(\d+)\.(\d)|(\d+) channels)")
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d\.\d+)")
_UNKNOWN_RATE_HZ, _UNKNOWN_CHANNELS = 44_100, 2  # of what can be read only once, and is then made so
_LIVE_PROBE = ("-probesize", "65536", "-analyzeduration", "500000")  # bytes and microseconds: nobody waits long
_PIECE_BYTES = 4096
_FLOAT_BYTES = 4


class CommandMedia:
    """What `ffmpeg` reads. State: the process, once blocks are asked for."""

    def __init__(self, what: Input, *, live: bool, protocols: str) -> None:
        """Look at it; what comes once alone is believed to have sound. Raises `AudioError`."""
        self._feed: Readable | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.rate_hz, self.channels, self.length_s = _UNKNOWN_RATE_HZ, _UNKNOWN_CHANNELS, 0.0
        named = what if isinstance(what, Path) else getattr(what, "name", None)
        if isinstance(what, str):
            self._input = ["-protocol_whitelist", protocols, "-i", what]
            self._look()
        elif isinstance(named, str | Path) and Path(named).is_file():
            allowed = protocols if isinstance(what, Path) else "file"
            self._input = ["-protocol_whitelist", allowed, "-i", f"file:{Path(named).absolute()}"]
            self._look()
        elif not isinstance(what, Path):
            probe = _LIVE_PROBE if live else ()
            self._input, self._feed = ["-protocol_whitelist", "pipe", *probe, "-i", "pipe:0"], what

    def close(self) -> None:
        """Do nothing: the process ends with its blocks."""

    def stop(self) -> None:
        """End the process, whoever reads from it."""
        if self._process:
            self._process.kill()

    def blocks(self, *, rate_hz: int, channels: int, block: int) -> Iterator[F32]:
        """Yield the sound in blocks of ``block`` samples, float32 [n, channels]; raise `AudioError` if it breaks."""
        form = ["-map", "0:a:0", "-f", "f32le", "-ar", str(rate_hz), "-ac", str(channels), "pipe:1"]
        stdin = subprocess.PIPE if self._feed else subprocess.DEVNULL
        command = [*_COMMAND, "error", *self._input, *form]
        with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
            self._process = process
            try:
                yield from self._read(process, channels=channels, block=block)
            finally:
                process.kill()

    def _read(self, process: subprocess.Popen[bytes], *, channels: int, block: int) -> Iterator[F32]:
        said: list[bytes] = []
        listening = threading.Thread(target=lambda: said.extend(process.stderr or ()), name="hear ffmpeg", daemon=True)
        listening.start()
        if self._feed:
            threading.Thread(target=_pump, args=(self._feed, process), name="feed ffmpeg", daemon=True).start()
        frame_bytes, any_sound = _FLOAT_BYTES * channels, False
        while process.stdout and (data := process.stdout.read(block * frame_bytes)):
            any_sound = True
            yield np.frombuffer(data[: len(data) - len(data) % frame_bytes], "<f4").reshape(-1, channels)
        listening.join()
        if process.wait() and not any_sound:
            raise AudioError(_last_line(b"".join(said)))

    def _look(self) -> None:
        """Read what ffmpeg says of a file or an address; it also says that it was given nothing to do."""
        command = [*_COMMAND, "info", *self._input]
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(command, stderr=subprocess.PIPE, timeout=READ_LIMIT_S, check=False)  # noqa: S603
            said = done.stderr.decode(errors="replace")
            if not (sound := _SOUND.search(said)):
                raise AudioError("holds no sound" if "Input #0" in said else _last_line(done.stderr))
            self.rate_hz = int(sound[1])
            more = int(sound[3] or sound[5] or 0) + int(sound[4] or 0)
            self.channels = more or {"mono": 1, "stereo": 2}[sound[2]]
            if length := _DURATION.search(said):
                self.length_s = 3600.0 * int(length[1]) + 60.0 * int(length[2]) + float(length[3])


def _pump(feed: Readable, process: subprocess.Popen[bytes]) -> None:
    """Hand the process what there is, until either ends."""
    if process.stdin:
        with suppress(OSError, ValueError, AudioError), process.stdin:
            while data := feed.read(_PIECE_BYTES):
                process.stdin.write(data)
                process.stdin.flush()


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1].rpartition(": ")[2].rstrip(".") if lines else "ffmpeg read nothing, and does not say why"
