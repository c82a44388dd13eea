"""The wire back into events: every event survives the way there and back, all else is refused or ignored by rule."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_analyzer.errors import ProtocolError
from stream_analyzer.protocol.decode import decode
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.protocol.kinds import NTH_MODULUS, SPECTRUM_HEADER, Summary, SummaryGenre, SummaryTempo
from stream_analyzer.types import (
    TOP_GENRES,
    Alternative,
    Beat,
    Energy,
    Genre,
    GenreState,
    Key,
    KeyState,
    Level,
    Loudness,
    Moment,
    Score,
    Spectrum,
    State,
    Status,
    Tempo,
    TempoState,
    Turn,
)
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from stream_analyzer.kinds import Described

SESSION = "0123ab"
TEMPO = Tempo(63.5, 127.94, 0.83, "locked", 0.0, (Alternative(63.97, 0.31),))

seconds = st.floats(0, 1e6)
shares = st.floats(0, 1)
words = st.text(max_size=20)
counts = st.integers(0, 2**53)
tempi = st.builds(
    Tempo,
    time_s=seconds,
    bpm=st.floats(10, 500),
    confidence=shares,
    state=st.sampled_from(get_args(TempoState)),
    age_s=seconds,
    alternatives=st.lists(st.builds(Alternative, st.floats(10, 500), shares), max_size=5).map(tuple),
    beats_in_bar=st.none() | st.integers(1, 12),
    bar_phase=st.none() | shares,
)
beats = st.builds(
    Beat,
    time_s=seconds,
    beat_s=seconds,
    number=st.none() | st.integers(1, 12),
    beats_in_bar=st.none() | st.integers(1, 12),
    confidence=shares,
    next_s=seconds,
    bpm=st.floats(10, 500),
)
genres = st.builds(
    Genre,
    time_s=seconds,
    label=st.none() | words,
    confidence=shares,
    state=st.sampled_from(get_args(GenreState)),
    age_s=seconds,
    music=shares,
    scores=st.lists(st.builds(Score, words, shares), max_size=9).map(tuple),
    sub_genre=st.none() | st.builds(Score, words, shares),
)
levels = st.builds(Level, seconds, st.floats(-120, 10), st.floats(-120, 10), clipping=st.booleans())
keys = st.builds(
    Key,
    time_s=seconds,
    label=st.none() | words,
    camelot=st.none() | words,
    confidence=shares,
    state=st.sampled_from(get_args(KeyState)),
    age_s=seconds,
    tuning_cents=st.floats(-50, 50),
    scores=st.lists(st.builds(Score, words, shares), max_size=9).map(tuple),
)
loudnesses = st.builds(
    Loudness,
    time_s=seconds,
    momentary_lufs=st.floats(-120, 10),
    short_term_lufs=st.floats(-120, 10),
    integrated_lufs=st.none() | st.floats(-120, 10),
    range_lu=st.floats(0, 120),
    true_peak_dbtp=st.floats(-120, 10),
)
energies = st.builds(
    Energy,
    time_s=seconds,
    value=shares,
    bass_dbfs=st.floats(-120, 10),
    onsets_per_s=st.floats(0, 50),
    brightness_hz=st.floats(0, 11_025),
)
moments = st.builds(Moment, seconds, st.sampled_from(get_args(Turn)), seconds, shares)
statuses = st.builds(
    Status,
    time_s=seconds,
    state=st.sampled_from(get_args(State)),
    detail=words,
    lag_s=seconds,
    lost_s=seconds,
    nonfinite=counts,
    clients=counts,
    latency_s=seconds,
)


events_of_all = tempi | beats | genres | keys | loudnesses | energies | moments | levels | statuses


@given(st.lists(events_of_all, min_size=1, max_size=5))
def test_events_survive_the_way_there_and_back(events: list[Described]) -> None:
    there, again = Encoder(SESSION), Encoder(SESSION)
    for seq, event in enumerate(events, start=1):
        sent = there.encode(event).payload
        back = decode(sent)
        assert back is not None
        assert (type(back.event), back.session, back.seq) == (type(event), SESSION, seq)
        assert not isinstance(back.event, Summary)
        assert again.encode(back.event).payload == sent, "nothing but digits beyond those sent is lost"


def test_values_and_types_are_those_sent() -> None:
    back = decode(Encoder(SESSION).encode(TEMPO).payload)
    assert back is not None
    assert back.event == TEMPO
    whole = json.loads(Encoder(SESSION).encode(TEMPO).payload)
    whole["data"] |= {"bpm": 128, "swing": 0.6}
    whole["sent_by"] = "a later version"
    back = decode(json.dumps(whole))
    assert back is not None
    assert back.event == replace(TEMPO, bpm=128.0)
    assert isinstance(back.event, Tempo)
    assert isinstance(back.event.bpm, float)


@given(seconds, st.integers(1, 5), st.integers(1, 9), st.randoms(use_true_random=False))
def test_spectra_survive_the_way_there_and_back(time_s: float, columns: int, bands: int, random: Any) -> None:
    sent = np.frombuffer(random.randbytes(columns * bands), np.uint8).reshape(columns, bands)
    back = decode(Encoder(SESSION).encode(Spectrum(time_s, sent)).payload, session="anyone")
    assert back is not None
    assert isinstance(back.event, Spectrum)
    assert (back.kind, back.session, back.seq, back.nth, back.event.time_s) == ("spectrum", "anyone", 1, 1, time_s)
    assert np.array_equal(back.event.levels, sent)


def test_the_count_of_spectra_goes_round() -> None:
    encoder, column = Encoder(SESSION), Spectrum(0.0, np.zeros((1, 1), np.uint8))
    for _ in range(NTH_MODULUS - 1):
        encoder.encode(column)
    last, first = decode(encoder.encode(column).payload), decode(encoder.encode(column).payload)
    assert last is not None
    assert first is not None
    assert (last.nth, first.nth, first.seq) == (0, 1, NTH_MODULUS + 1)


def test_summaries_come_back() -> None:
    genre = SummaryGenre("Jazz", 0.7, {"Jazz": 0.7, "Rock": 0.3})
    for sent in (
        Summary(9.0, 9.0, None, None, 0.0),
        Summary(9.0, 9.0, SummaryTempo(120.0, 0.5, ()), genre, 0.25),
    ):
        back = decode(Encoder(SESSION).encode(sent).payload)
        assert back is not None
        assert back.event == sent


def test_only_the_likeliest_genres_are_sent() -> None:
    scores = tuple(Score(f"g{i}", 0.1) for i in range(9))
    back = decode(Encoder(SESSION).encode(Genre(1.0, "g0", 0.1, "music", 0.0, 1.0, scores)).payload)
    assert back is not None
    assert isinstance(back.event, Genre)
    assert back.event.scores == scores[:TOP_GENRES]


@pytest.mark.parametrize("kind", ["rumour", "__class__", "", "Tempo"])
def test_unknown_types_are_ignored(kind: str) -> None:
    assert decode(json.dumps({"v": 1, "type": kind})) is None
    assert decode(SPECTRUM_HEADER.pack(1, 2, 0, 0, 0, 0, 0.0)) is None


def changed(**change: Any) -> str:
    whole: dict[str, Any] = json.loads(Encoder(SESSION).encode(TEMPO).payload)
    data = {name: change.pop(name) for name in ("bpm", "state", "alternatives") if name in change}
    return json.dumps(whole | {"data": whole["data"] | data} | change)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ("", "Expecting value"),
        ("[1]", "no field v"),
        ("[" * 100_000, "recursion"),
        (changed(v=2), "protocol version 2"),
        (changed(v=True), "protocol version True"),
        (changed(seq="7"), "'7' is no int"),
        (changed(seq=10**400), "is no int"),
        (changed(nth=1.5), "1.5 is no int"),
        (changed(session=None), "None is no str"),
        (changed(time_s=float("nan")), "NaN is no number"),
        (changed(time_s=True), "True is no float"),
        (changed(data=[]), "[] is no"),
        (changed(data={}), "no field bpm"),
        (changed(bpm="fast"), "'fast' is no float"),
        (changed(bpm=10**400), "is no float"),
        (changed(bpm=float("inf")), "Infinity is no number"),
        (changed(bpm=0).replace('"bpm": 0', '"bpm": 1e999'), "inf is no float"),
        (changed(state="asleep"), "'asleep' is no"),
        (changed(alternatives=[None]), "None is no Alternative"),
        (changed(alternatives={}), "{} is no"),
        (changed(seq=0).replace('"seq": 0', '"seq": ' + "1" * 5000), "malformed message"),
        (b"", "header alone has 24"),
        (b"\x02" + bytes(30), "protocol version 2"),
        (SPECTRUM_HEADER.pack(1, 1, 4, 2, 1, 1, 1.0) + bytes(7), "2 columns of 4 bands"),
        (SPECTRUM_HEADER.pack(1, 1, 4, 2, 1, 1, 1.0) + bytes(9), "2 columns of 4 bands"),
        (SPECTRUM_HEADER.pack(1, 1, 1, 1, 1, 1, float("nan")) + bytes(1), "at nan s"),
    ],
)
def test_what_is_malformed_is_refused_in_one_line(payload: str | bytes, says: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(payload)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


@given(
    st.text(max_size=50)
    | st.binary(max_size=50)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["v", "type", "data", "seq"]), inner)
        ),
    ).map(json.dumps)
)
def test_nothing_but_a_protocol_error_ever_comes_of_it(payload: str | bytes) -> None:
    try:
        assert decode(payload) is None
    except ProtocolError as error:
        assert str(error)  # noqa: PT017 - either way is right


@given(st.data())
def test_no_change_to_one_field_breaks_the_reader(data: st.DataObject) -> None:
    whole = json.loads(Encoder(SESSION).encode(data.draw(events_of_all)).payload)
    place = data.draw(st.sampled_from([whole, whole["data"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(
        st.none() | st.booleans() | st.integers() | st.floats() | words | st.just([]) | st.just({})
    )
    try:
        decode(json.dumps(whole))
    except ProtocolError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_a_subscriber_loads_neither_numpy_nor_what_listens() -> None:
    heavy = "{'numpy', 'ai_edge_litert', 'soundfile', 'soxr', 'sounddevice', 'aiomqtt', 'pythonosc'}"
    ours = "stream_analyzer.client.subscriber, stream_analyzer.cli, stream_analyzer.client.live_line"
    check = f"import sys, {ours}; print(*sorted({{m.split('.')[0] for m in sys.modules}} & {heavy}))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""
