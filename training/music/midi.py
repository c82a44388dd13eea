"""Scores in beats, and the standard MIDI file format: read any file, write one tempo. Times are quarter-note beats."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

TICKS_PER_BEAT = 480
DRUM_CHANNEL = 9
DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}


@dataclass(frozen=True, slots=True)
class Note:
    """One note: start and length in beats, MIDI channel (9 is drums), pitch and velocity 1..127."""

    start: float
    length: float
    channel: int
    pitch: int
    velocity: int


@dataclass(slots=True)
class Score:
    """Notes, the program (instrument) of each channel, and the tempo the file states first (None if it states none)."""

    notes: list[Note] = field(default_factory=list)
    programs: dict[int, int] = field(default_factory=dict)
    bpm: float | None = None

    @property
    def beats(self) -> float:
        """End of the last note."""
        return max((note.start + note.length for note in self.notes), default=0.0)


def write_midi(score: Score, *, bpm: float) -> bytes:
    """Return a format-0 MIDI file of ``score`` played at ``bpm``."""
    events = [(0, 0, bytes([0xC0 | channel, program])) for channel, program in score.programs.items()]
    for note in score.notes:
        start = max(0, round(note.start * TICKS_PER_BEAT))
        end = start + max(1, round(note.length * TICKS_PER_BEAT))
        events.append((start, 2, bytes([0x90 | note.channel, note.pitch, note.velocity])))
        events.append((end, 1, bytes([0x80 | note.channel, note.pitch, 0])))
    track = bytearray(b"\x00\xff\x51\x03" + round(60e6 / bpm).to_bytes(3, "big"))
    last = 0
    for tick, _, message in sorted(events):
        track += _variable_length(tick - last) + message
        last = tick
    track += _variable_length(TICKS_PER_BEAT) + b"\xff\x2f\x00"
    return struct.pack(">4sIHHH4sI", b"MThd", 6, 0, 1, TICKS_PER_BEAT, b"MTrk", len(track)) + bytes(track)


def read_midi(data: bytes) -> Score:
    """Return the notes of a MIDI file of any format; raise `ValueError` if it is none."""
    if data[:4] != b"MThd":
        msg = "not a MIDI file"
        raise ValueError(msg)
    division = struct.unpack(">H", data[12:14])[0]
    score = Score()
    offset = 14
    while offset + 8 <= len(data):
        length = struct.unpack(">I", data[offset + 4 : offset + 8])[0]
        if data[offset : offset + 4] == b"MTrk":
            _read_track(data[offset + 8 : offset + 8 + length], division, score)
        offset += 8 + length
    score.notes.sort(key=lambda note: (note.start, note.channel, note.pitch))
    return score


def _read_track(track: bytes, division: int, score: Score) -> None:
    position, tick, status = 0, 0, 0
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    while position < len(track):
        delta, position = _read_variable_length(track, position)
        tick += delta
        if track[position] & 0x80:
            status = track[position]
            position += 1
        if status >= 0xF0:
            kind = track[position] if status == 0xFF else 0
            size, start = _read_variable_length(track, position + (status == 0xFF))
            if kind == 0x51 and score.bpm is None:
                score.bpm = 60e6 / int.from_bytes(track[start : start + size], "big")
            position = start + size
            continue
        size = DATA_BYTES[status & 0xF0]
        _channel_event(score, sounding, status, track[position : position + size], tick=tick, division=division)
        position += size


def _channel_event(
    score: Score,
    sounding: dict[tuple[int, int], tuple[int, int]],
    status: int,
    data: bytes,
    *,
    tick: int,
    division: int,
) -> None:
    kind, channel = status & 0xF0, status & 0x0F
    if kind == 0xC0:
        score.programs.setdefault(channel, data[0])
    if kind not in (0x80, 0x90):
        return
    key = (channel, data[0])
    if key in sounding:
        start, velocity = sounding.pop(key)
        score.notes.append(Note(start / division, max(1, tick - start) / division, channel, data[0], velocity))
    if kind == 0x90 and data[1]:
        sounding[key] = (tick, data[1])


def _variable_length(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))


def _read_variable_length(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = data[position]
        position += 1
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, position
