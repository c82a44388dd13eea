"""Events as messages on the wire, protocol version 1: JSON envelopes, and binary frames for the spectrum. Pure.

`docs/asyncapi.yaml` is the schema; the tests hold every message against it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer import __version__
from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.protocol.decode import (
    GREETINGS,
    NTH_MODULUS,
    PROTOCOL_VERSION,
    SPECTRUM_HEADER,
    SPECTRUM_KIND,
    Kind,
)
from stream_analyzer.types import (
    SPECTRUM_CEIL_DB,
    SPECTRUM_FLOOR_DB,
    Event,
    Genre,
    Level,
    Score,
    Spectrum,
    Status,
    Tempo,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.analysis.analyzer import Models
    from stream_analyzer.protocol.subscription import Place
    from stream_analyzer.sound.source import SourceInfo
    from stream_analyzer.types import TempoRange

TOP_GENRES = 5
_SAME_MOMENT_S = 0.1  # frames and the steps they come in don't end together; more than this apart is a gap


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded message: JSON text, or bytes for the spectrum, and its number in the session."""

    kind: Kind
    payload: str | bytes
    seq: int = 0


class Encoder:
    """Encodes the events of one session. State: the sequence number of all messages, and the count of each kind."""

    def __init__(self, session: str) -> None:
        """Start ``session`` at message 1; `hello` is 0."""
        self.session = session
        self._seq = 0
        self._counts: Counter[Kind] = Counter()

    def encode(self, event: Event) -> Message:
        """Encode an event; JSON, but for `Spectrum`."""
        if isinstance(event, Spectrum):
            columns, bands = event.levels.shape
            seq, nth = self._number("spectrum")
            head = (PROTOCOL_VERSION, SPECTRUM_KIND, bands, columns, nth % NTH_MODULUS, seq, event.time_s)
            return Message("spectrum", SPECTRUM_HEADER.pack(*head) + event.levels.tobytes(), seq)
        kind, data = _body(event)
        return self._envelope(kind, data, time_s=event.time_s)

    def summary(self, data: dict[str, Any], *, time_s: float) -> Message:
        """Encode the summary of a source that ended, in the form of `Summary.to_dict`."""
        return self._envelope("summary", data, time_s=time_s)

    def hello(
        self, *, source: SourceInfo, models: Models, started_at: str, tempo_range: TempoRange | None = None
    ) -> Message:
        """Encode the first message, which tells a subscriber what it listens to."""
        manifests = [models.tempo.manifest, models.genre.manifest]
        data = {
            "version": __version__,
            "started_at": started_at,
            "source": {
                "kind": source.kind,
                "name": source.name,
                "rate_hz": source.rate_hz,
                "channels": source.channels,
            },
            "feature": {"digest": SPEC.digest, **asdict(SPEC)},
            "spectrum": {
                "bands": SPEC.n_mels,
                "floor_db": SPECTRUM_FLOOR_DB,
                "ceil_db": SPECTRUM_CEIL_DB,
                "frames_per_second": SPEC.frames_per_second,
            },
            "models": [
                {
                    "name": m.name,
                    "version": m.version,
                    "task": m.task,
                    "sha256": m.sha256,
                    "window_s": m.window_s,
                    "first_s": round(m.first_s, 3),
                    "every_s": round(m.every_s, 3),
                }
                for m in manifests
            ],
            "latency_s": _latency_s(models),
            "tempo_range": list(tempo_range) if tempo_range else None,
            "labels": list(models.genre.manifest.output.labels),
            "sub_genres": {sub.label: sub.parent for sub in models.genre.manifest.output.sub_genres},
            "confident": models.genre.manifest.calibration.confident,
        }
        return self._envelope("hello", data, time_s=0.0)

    def replay(self, since: Place, *, missed: int | None, detail: str) -> Message:
        """Encode what a subscriber that comes back is told: how many messages after ``since`` can't be had any more."""
        data = {"since": str(since), "missed": missed, "detail": detail}
        return self._envelope("replay", data, time_s=0.0)

    def _number(self, kind: Kind) -> tuple[int, int]:
        """Return the next message's place in the session and among those of its kind; what is for one client is 0."""
        if kind in GREETINGS:
            return 0, 0
        self._seq += 1
        self._counts[kind] += 1
        return self._seq, self._counts[kind]

    def _envelope(self, kind: Kind, data: dict[str, Any], *, time_s: float) -> Message:
        seq, nth = self._number(kind)
        envelope = {
            "v": PROTOCOL_VERSION,
            "type": kind,
            "session": self.session,
            "seq": seq,
            "nth": nth,
            "time_s": round(time_s, 3),
            "data": data,
        }
        return Message(kind, json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":")), seq)


def merge_columns(messages: Sequence[Message]) -> list[Message]:
    """Return spectrum messages whose columns follow each other as one, numbered and dated like its last."""
    merged: list[list[Message]] = []
    end_s = math.nan
    for message in messages:
        *_, columns, _, _, time_s = SPECTRUM_HEADER.unpack_from(_binary(message))
        if abs(time_s - columns / SPEC.frames_per_second - end_s) < _SAME_MOMENT_S:
            merged[-1].append(message)
        else:
            merged.append([message])
        end_s = time_s
    return [_join(parts) if len(parts) > 1 else parts[0] for parts in merged]


def _join(parts: list[Message]) -> Message:
    levels = b"".join(_binary(part)[SPECTRUM_HEADER.size :] for part in parts)
    version, kind, bands, _, nth, seq, time_s = SPECTRUM_HEADER.unpack_from(_binary(parts[-1]))
    header = SPECTRUM_HEADER.pack(version, kind, bands, len(levels) // bands, nth, seq, time_s)
    return Message("spectrum", header + levels, seq)


def _binary(message: Message) -> bytes:
    if not isinstance(message.payload, bytes):
        msg = f"a message of kind {message.kind} holds no columns"
        raise TypeError(msg)
    return message.payload


def _latency_s(models: Models) -> dict[str, float]:
    """Return how long each kind may take to show a sample, by design: its step, its frame, its model's stride."""
    step_s = 1.0 / STEPS_PER_SECOND
    column_s = step_s + SPEC.n_fft / SPEC.sample_rate_hz
    waits_s = {"tempo": models.tempo.manifest.every_s, "genre": models.genre.manifest.every_s}
    latency_s = {"level": step_s, "spectrum": column_s, **{kind: column_s + wait for kind, wait in waits_s.items()}}
    return {kind: round(seconds, 3) for kind, seconds in latency_s.items()}


def tempo_data(tempo: Tempo) -> dict[str, Any]:
    """Return the data of a tempo message."""
    return {
        "bpm": round(tempo.bpm, 2),
        "confidence": round(tempo.confidence, 4),
        "state": tempo.state,
        "age_s": round(tempo.age_s, 2),
        "alternatives": [{"bpm": round(a.bpm, 2), "salience": round(a.salience, 4)} for a in tempo.alternatives],
    }


def genre_data(genre: Genre) -> dict[str, Any]:
    """Return the data of a genre message: the shown label, its sub-genre and the five likeliest."""
    return {
        "label": genre.label,
        "sub_genre": _score_data(genre.sub_genre) if genre.sub_genre else None,
        "confidence": round(genre.confidence, 4),
        "state": genre.state,
        "age_s": round(genre.age_s, 2),
        "music": round(genre.music, 4),
        "top": [_score_data(score) for score in genre.scores[:TOP_GENRES]],
    }


def _score_data(score: Score) -> dict[str, Any]:
    return {"label": score.label, "p": round(score.p, 4)}


def _body(event: Tempo | Genre | Level | Status) -> tuple[Kind, dict[str, Any]]:
    match event:
        case Tempo():
            return "tempo", tempo_data(event)
        case Genre():
            return "genre", genre_data(event)
        case Level():
            return "level", {
                "rms_dbfs": round(event.rms_dbfs, 1),
                "peak_dbfs": round(event.peak_dbfs, 1),
                "clipping": event.clipping,
            }
        case Status():
            return "status", {
                "state": event.state,
                "detail": event.detail,
                "lag_s": round(event.lag_s, 2),
                "lost_s": round(event.lost_s, 3),
                "nonfinite": event.nonfinite,
                "clients": event.clients,
                "missed": event.missed,
                "stalled": event.stalled,
                "latency_s": round(event.latency_s, 3),
                "broker": event.broker,
            }
