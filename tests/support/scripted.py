"""An analyzer that says what a test wants: serves the real page with the real headers, and plays its stream by hand."""

from __future__ import annotations

import json
import mimetypes
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stream_analyzer.protocol.history import History, columns
from stream_analyzer.protocol.kinds import NTH_MODULUS, SPECTRUM_HEADER
from stream_analyzer.protocol.seconds import Seconds
from stream_analyzer.serving.web import server as web_server
from stream_analyzer.types import Energy, Genre, Moment, Score, Tempo
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route, WebSocketRoute

    from stream_analyzer.types import TempoState

URL = "http://analyzer.test/"
SESSION = "k3f9"
HELLO: dict[str, Any] = {
    "version": "0.1.0",
    "source": {"kind": "device", "name": "USB Audio CODEC: Analog Stereo (hw:1,0)", "rate_hz": 48_000, "channels": 2},
    "feature": {"sample_rate_hz": 22_050, "hop": 441},
    "spectrum": {"bands": 128, "floor_db": -60.0, "ceil_db": 40.0, "frames_per_second": 50.0},
    "confident": 0.4,
    "models": [
        {"name": "tempo-mel-cnn", "version": "1.2.0", "task": "tempo", "window_s": 12.0, "first_s": 3.0},
        {"name": "genre-mel-cnn", "version": "1.2.0", "task": "genre", "window_s": 10.0, "first_s": 3.2},
        {"name": "key-profile-cnn", "version": "1.0.0", "task": "key", "window_s": 30.0, "first_s": 3.0},
        {"name": "beat-mel-tcn", "version": "1.0.0", "task": "beat", "window_s": 8.0, "first_s": 0.1},
    ],
}
BEATING: dict[str, Any] = HELLO | {"types": ["tempo", "beat", "genre", "level", "status", "spectrum", "summary"]}
TEMPO: dict[str, Any] = {
    "bpm": 127.94,
    "confidence": 0.83,
    "state": "locked",
    "age_s": 0.0,
    "alternatives": [{"bpm": 63.97, "salience": 0.3}, {"bpm": 191.9, "salience": 0.2}, {"bpm": 255.9, "salience": 0.1}],
}
GENRE: dict[str, Any] = {
    "label": "electronic",
    "sub_genre": None,
    "second": None,
    "sure": True,
    "confidence": 0.7,
    "state": "music",
    "age_s": 0.0,
    "music": 0.98,
    "top": [
        {"label": label, "p": p}
        for label, p in [
            ("electronic", 0.7),
            ("hiphop", 0.1),
            ("international", 0.08),
            ("drum and bass", 0.07),
            ("pop", 0.05),
        ]
    ],
}
KEY: dict[str, Any] = {
    "label": "A minor",
    "camelot": "8A",
    "confidence": 0.78,
    "state": "clear",
    "age_s": 0.0,
    "tuning_cents": 4.0,
    "top": [{"label": "A minor", "p": 0.78}, {"label": "C major", "p": 0.12}, {"label": "E minor", "p": 0.04}],
}
LOUDNESS: dict[str, Any] = {
    "momentary_lufs": -12.4,
    "short_term_lufs": -13.1,
    "integrated_lufs": -15.3,
    "range_lu": 4.2,
    "true_peak_dbtp": -0.4,
}
ENERGY: dict[str, Any] = {"value": 0.72, "bass_dbfs": -18.0, "onsets_per_s": 4.5, "brightness_hz": 912.0}
LEVEL: dict[str, Any] = {"rms_dbfs": -18.2, "peak_dbfs": -3.1, "clipping": False}


def status(state: str, **more: Any) -> dict[str, Any]:
    """Return the data of a status message."""
    return {
        "state": state,
        "detail": "",
        "lag_s": 0.02,
        "lost_s": 0.0,
        "nonfinite": 0,
        "clients": 1,
        "latency_s": 0.06,
        "silence": "quiet" if state == "silent" else "none",
        "sound_on": None,
        "broker": "none",
        "broker_refusal": "",
        "log": "off",
        "log_trouble": "",
    } | more


def set_so_far(duration_s: int) -> History:
    """Return the history of a made-up set: parts of four minutes, each of another tempo and genre."""
    parts = (
        ("electronic", 124.0),
        ("hiphop", 92.0),
        ("jazz", 138.0),
        ("electronic", 127.94),
        ("rock", 148.0),
        ("pop", 116.0),
    )
    names = ("electronic", "hiphop", "jazz", "rock", "pop", "folk")
    history, seconds = History(), Seconds()
    for second in range(duration_s):
        label, bpm = parts[second // 240 % len(parts)]
        into_s = second % 240
        sure = min(0.7, 0.25 + into_s / 40) - 0.08 * (second * 7 % 11) / 11
        rest = [name for name in names if name != label]
        scores = (Score(label, sure), *(Score(name, (1 - sure) * 0.4 / (1 + i)) for i, name in enumerate(rest)))
        if into_s < 232:  # the sound stops for a moment between the parts
            state: TempoState = "locked" if into_s > 6 else "searching"
            done = seconds.add(Energy(second + 0.1, min(1.0, 0.3 + into_s % 60 / 75), -18.0, 4.5, 900.0))
            seconds.add(Tempo(second + 0.2, bpm + 0.3 * (second * 5 % 7 - 3) / 3, sure, state, 0.0, ()))
            seconds.add(Genre(second + 0.4, label, sure, "music", 0.0, 0.95, scores))
            if into_s % 60 == 59:
                seconds.add(Moment(second + 0.8, "drop", second + 0.2, 0.9))
            if done:
                history.add(done)
    return history


class Scripted:
    """Serves one page. State: the page's open sockets, the session, the counts of messages, the sample clock."""

    url = URL

    def __init__(self, page: Page, *, history: History | None = None, start_s: float = 10.0) -> None:
        """Answer every request of ``page``; the session so far is ``history`` and now it is ``start_s``."""
        self.timeline = columns((history or History()).rows(), session=SESSION)
        self._page = page
        self._sockets: list[WebSocketRoute] = []
        self._seq = 0
        self._counts: Counter[str] = Counter()
        self.time_s = start_s
        self.session = SESSION
        page.route(f"{URL}**", self._file)
        page.route_web_socket(re.compile(r"ws://analyzer\.test/ws\?"), self._connected)

    def open(self, query: str = "") -> None:
        """Load the page and greet it."""
        self._page.goto(URL + query)
        self.greet()

    def greet(self) -> None:
        """Say hello to the page as soon as it is there."""
        self._page.wait_for_function("() => document.documentElement.dataset.line === 'open'")
        self.send("hello", HELLO)

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Send one message; the sample clock moves 0.1 s."""
        self._seq += kind != "hello"
        self._counts[kind] += kind != "hello"
        self.time_s += 0.1
        place = {"seq": self._seq, "nth": self._counts[kind], "time_s": self.time_s}
        head = {"v": 1, "type": kind, "session": self.session, **place}
        self.send_raw(json.dumps(head | {"data": data}))

    def send_columns(self, count: int, *, level: int = 0, column: bytes = b"") -> None:
        """Send ``count`` spectrum columns of one level, or each like ``column``."""
        self._seq += 1
        self._counts["spectrum"] += 1
        self.time_s += count / 50
        nth = self._counts["spectrum"] % NTH_MODULUS
        header = SPECTRUM_HEADER.pack(1, 1, 128, count, nth, self._seq, self.time_s)
        self.send_raw(header + (column or bytes([level]) * 128) * count)

    def send_raw(self, payload: str | bytes) -> None:
        """Send a frame as it is."""
        self._sockets[-1].send(payload)

    def hang_up(self) -> None:
        """Close the line, as an analyzer does that ends."""
        self._sockets[-1].close()

    def send_all(self) -> None:
        """Send one of each kind, as while music plays."""
        self.send("status", status("live"))
        self.send("tempo", TEMPO)
        self.send("genre", GENRE)
        self.send("key", KEY)
        self.send("loudness", LOUDNESS)
        self.send("energy", ENERGY)
        self.send("level", LEVEL)
        for level in range(100, 200, 10):
            self.send_columns(5, level=level)

    def _connected(self, connection: WebSocketRoute) -> None:
        self._sockets.append(connection)

    def _file(self, route: Route) -> None:
        name = urlsplit(route.request.url).path.removeprefix("/") or "index.html"
        if name == "timeline":
            route.fulfill(json=self.timeline)
            return
        path = ROOT / "web" / name
        content_type = mimetypes.guess_type(name)[0] or "text/plain"
        route.fulfill(path=path, headers={**web_server._SECURITY_HEADERS, "Content-Type": content_type})
