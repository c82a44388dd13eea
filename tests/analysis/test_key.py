"""The key from pitch frames to what is shown: in tune, alike in every key, followed when it changes, held by drums."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.key import profile
from stream_analyzer.analysis.key.chords import OF_ALL, STEPS, Heard
from stream_analyzer.analysis.key.head import KeyHead
from stream_analyzer.analysis.key.names import LABELS, camelot
from stream_analyzer.analysis.key.profile import Profile
from stream_analyzer.analysis.key.tracker import TIMES, KeyTracker, Recent
from stream_analyzer.analysis.manifest import load_manifest
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.pitches import PITCHES, StreamingPitches
from stream_analyzer.errors import ManifestError
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.types import AudioBlock, Key

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F32

RATE_HZ = PITCHES.sample_rate_hz
MODEL = resource_folder("models") / "key"
MAJOR = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
MINOR = ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7))


def cadence(key: int, *, seconds: float, cents: float = 0.0, rate_hz: int = RATE_HZ) -> F32:
    """Return I IV V I in a key, with a bass, over and over, off pitch by ``cents``."""
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    sound = np.zeros_like(at)
    for place, chord in enumerate(MAJOR if key < 12 else MINOR):
        now = (at // 1.0 % 4 == place) * np.exp(-2.0 * (at % 1.0))
        for note in (chord[0] - 12, *chord):
            hz = 261.63 * 2.0 ** ((note + key % 12 + cents / 100.0) / 12.0)
            sound += now * sum(np.sin(2.0 * np.pi * hz * n * at) / n**2 for n in range(1, 7))
    return (0.05 * sound).astype(np.float32)


def drums(seconds: float) -> F32:
    """Return bursts of noise."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(1).normal(0.0, 0.2, len(at))
    return (noise * np.exp(-12.0 * (at % 0.25))).astype(np.float32)


@cache
def model() -> TfliteModel:
    return TfliteModel(MODEL)


def hear(*sounds: F32, rate_hz: int = RATE_HZ) -> list[Key]:
    events = Analyzer([KeyHead(model())]).feed(AudioBlock(np.concatenate(sounds)[:, None], rate_hz))
    return [event for event in events if isinstance(event, Key)]


def test_frames_do_not_depend_on_how_the_sound_is_cut() -> None:
    sound, rng = cadence(3, seconds=4.0), np.random.default_rng(0)
    whole, parts = StreamingPitches().push(sound), StreamingPitches()
    cuts = np.sort(rng.integers(0, len(sound), 30))
    assert np.array_equal(np.concatenate([parts.push(one) for one in np.split(sound, cuts)]), whole)
    parts.reset()
    assert np.array_equal(parts.push(sound), whole), "a reset object equals a new one"
    assert whole.shape == ((len(sound) - PITCHES.n_fft) // PITCHES.hop + 1, PITCHES.bins)


@pytest.mark.parametrize("note", [34, 45, 57, 69, 93])
def test_a_tone_is_loudest_at_its_own_place(note: int) -> None:
    at = np.arange(2 * RATE_HZ) / RATE_HZ
    tone = np.sin(2.0 * np.pi * 440.0 * 2.0 ** ((note - 69) / 12.0) * at).astype(np.float32)
    frame = StreamingPitches().push(tone)[0]
    assert int(np.argmax(frame)) == (note - PITCHES.lowest_note) * PITCHES.per_semitone + 1
    assert 0.02 < float(np.exp(frame.max())) <= 0.25, "of a sine's power over 4, what its triangle averages"


@pytest.mark.parametrize("cents", [-30.0, 0.0, 25.0])
def test_the_tuning_is_heard_and_read_along(cents: float) -> None:
    heard = Profile(60)
    heard.push(StreamingPitches().push(cadence(2, seconds=6.0, cents=cents)))
    assert heard.cents == pytest.approx(cents, abs=8.0)
    in_tune = Profile(60)
    in_tune.push(StreamingPitches().push(cadence(2, seconds=6.0)))
    assert np.corrcoef(heard.steps(5).ravel(), in_tune.steps(5).ravel())[0, 1] > 0.9


def test_every_key_looks_alike_from_its_tonic() -> None:
    views = []
    for tonic in (0, 2, 5):
        heard = Profile(60)
        heard.push(StreamingPitches().push(cadence(tonic, seconds=6.0)))
        views.append(profile.turned(heard.steps(5).mean(axis=0))[tonic].reshape(-1, 12).mean(axis=0))
    for view in views:
        assert set(np.argsort(-view)[:7]) == {0, 2, 4, 5, 7, 9, 11}, "the seven notes of its scale"


def test_level_and_noise_stand_out_nowhere() -> None:
    frames = StreamingPitches().push(cadence(0, seconds=3.0))
    assert profile.salience(frames + 3.0) == pytest.approx(profile.salience(frames), abs=1e-4)
    noise = np.random.default_rng(0).normal(0.0, 0.1, 6 * RATE_HZ).astype(np.float32)
    flat = profile.salience(StreamingPitches().push(noise)).mean(axis=0)
    tonal = profile.salience(frames).mean(axis=0)
    assert flat.std() < 0.25 * tonal.std()


def test_a_profile_forgets_all_but_the_newest() -> None:
    heard, fresh = Profile(60), Profile(60)
    first, second = (StreamingPitches().push(cadence(key, seconds=8.0)) for key in (0, 6))
    heard.push(first)
    heard.push(second[-20:])
    fresh.push(second[-20:])
    heard.forget(but=20)
    assert heard.steps(5).shape == (4, 72)
    assert np.corrcoef(heard.steps(5).ravel(), fresh.steps(5).ravel())[0, 1] > 0.95


def test_steps_are_means_up_to_the_newest_frame() -> None:
    frames = np.arange(7.0, dtype=np.float32)[:, None]
    assert profile.by_step(frames, 3).tolist() == [[2.0], [5.0]]
    assert profile.by_step(frames[:2], 3).tolist() == [[0.5]]


def steps_of(*triads: tuple[int, ...]) -> F32:
    """Return a step for each triad, in three octaves, its first note in the bass too."""
    steps = np.zeros((len(triads), PITCHES.semitones), np.float32)
    for step, notes in zip(steps, triads, strict=True):
        for note in notes:
            places = (note - PITCHES.lowest_note) % 12 + 12 * np.arange(2, 5)
            step[places] = 1.0
        step[(notes[0] - PITCHES.lowest_note) % 12] = 1.0
    return steps


def test_chords_are_told_by_their_place_above_each_tonic() -> None:
    home, fifth, sad = Heard.of(steps_of((0, 4, 7)) + 0.1).seen()[[0, 5, 9]]
    first = PITCHES.semitones
    assert int(np.argmax(home[first : first + 24])) == 0, "seen from C, the major chord of the tonic"
    assert int(np.argmax(fifth[first : first + 24])) == 7, "from F, that on its fifth"
    assert int(np.argmax(sad[first : first + 24])) == 3, "from A, that on its minor third"
    assert int(np.argmax(sad[first + 24 : first + 36])) == 3, "and so is the bass"


def test_the_newest_steps_are_seen_as_if_alone() -> None:
    steps = np.random.default_rng(5).uniform(0.0, 2.0, (9, PITCHES.semitones)).astype(np.float32)
    assert Heard.of(steps).newest(4).seen() == pytest.approx(Heard.of(steps[-4:]).seen(), abs=1e-5)


def test_steps_are_seen_one_by_one_and_few_over_and_over() -> None:
    steps = np.random.default_rng(6).uniform(0.0, 2.0, (5, PITCHES.semitones)).astype(np.float32)
    from_a = Heard.of(steps).seen()[9, OF_ALL:].reshape(STEPS, PITCHES.semitones)
    assert from_a[-5:] == pytest.approx(steps / steps.mean() - 1.0, abs=2e-3), "frames begin with A"
    assert np.array_equal(from_a[:-5], from_a[5:])


def test_the_order_of_chords_is_seen() -> None:
    g, c, f = (7, 11, 14), (0, 4, 7), (5, 9, 12)
    onward, back = (Heard.of(np.tile(steps_of(*some), (4, 1))).seen()[0] for some in ((g, c, f), (f, c, g)))
    alike = PITCHES.semitones + 36
    assert onward[:alike] == pytest.approx(back[:alike], abs=1e-5)
    into, out = onward[alike : alike + 48].reshape(12, 2, 2), back[alike : alike + 48].reshape(12, 2, 2)
    assert into[7, 0, 0] > 8.0 * out[7, 0, 0], "G leads to C the one way only"


def test_what_is_seen_is_the_same_in_every_key() -> None:
    rng = np.random.default_rng(3)
    octaves = rng.uniform(0.0, 2.0, (8, 6, 12)).astype(np.float32)
    low = profile.octaves(octaves.reshape(8, -1))
    assert np.array_equal(low[:, :, 0], octaves[:, :, 3]), "octaves begin with C, frames with A"
    here, above = (Heard.of(np.roll(octaves, by, axis=-1).reshape(8, -1)).seen() for by in (0, 2))
    assert np.roll(above, -2, axis=0) == pytest.approx(here, abs=1e-4)


def test_camelot_codes_go_round_by_fifths() -> None:
    assert [
        camelot(LABELS.index(name)) for name in ("C major", "A minor", "G major", "E minor", "Ab major", "B minor")
    ] == [
        "8B",
        "8A",
        "9B",
        "9A",
        "4B",
        "10A",
    ]
    assert len({camelot(key) for key in range(24)}) == 24


def test_cadences_tell_their_keys() -> None:
    right = 0
    for key in range(24):
        keys = hear(cadence(key, seconds=7.0))
        assert keys[0].time_s < 5.0
        right += (keys[-1].label, keys[-1].camelot) == (LABELS[key], camelot(key))
    assert right >= 20


def test_at_another_rate_and_out_of_tune() -> None:
    last = hear(cadence(9, seconds=9.0, cents=30.0, rate_hz=48_000), rate_hz=48_000)[-1]
    assert last.label == "A major"
    assert last.tuning_cents == pytest.approx(30.0, abs=10.0)


def test_another_key_is_followed_within_12_s_and_held_through_drums() -> None:
    keys = hear(cadence(7, seconds=30.0), cadence(18, seconds=20.0), drums(20.0))
    turned = next(key for key in keys if key.time_s > 30.0 and key.label == "F# minor")
    assert turned.time_s <= 42.0
    after = [key for key in keys if key.time_s > turned.time_s]
    assert {key.label for key in after} == {"F# minor"}
    assert (after[-1].state, after[-1].age_s > 2.0) == ("holding", True)


def test_drums_alone_have_no_key() -> None:
    keys = hear(drums(12.0))
    assert {(key.label, key.camelot, key.state) for key in keys} == {(None, None, "unclear")}


def test_silence_holds_what_was_heard() -> None:
    keys = hear(cadence(7, seconds=9.0), np.zeros(2 * RATE_HZ + 9000, np.float32))
    assert (keys[-1].label, keys[-1].state) == ("G major", "holding")


@cache
def manifest() -> ModelManifest:
    return load_manifest(MODEL)


def logits(key: int, *, by: float = 9.0) -> F32:
    found = np.zeros(25, np.float32)
    found[key] = by
    return found


def recent(key: int, *, by: float = 9.0, contrast: float = 0.5) -> Recent:
    return Recent(logits(key, by=by), contrast)


def test_the_tracker_turns_when_the_last_seconds_say_so_often_enough() -> None:
    tracker = KeyTracker(manifest())
    assert not tracker.turned_away(recent(5)), "nothing is shown yet"
    tracker.update(logits(0), recent(0), cents=0.0, time_s=1.0)
    assert [tracker.turned_away(recent(0)) for _ in range(2 * TIMES)] == [False] * 2 * TIMES
    assert [tracker.turned_away(recent(5, contrast=0.25)) for _ in range(2 * TIMES)] == [False] * 2 * TIMES, "drums"
    assert [tracker.turned_away(recent(5)) for _ in range(TIMES)] == [False] * (TIMES - 1) + [True]
    shown = tracker.update(logits(5), recent(5), cents=0.0, time_s=2.0)
    assert (shown.label, shown.age_s) == ("F major", 0.0)
    tracker.reset()
    assert tracker.hold(time_s=9.0) is None


def test_what_is_not_clear_is_a_guess_and_stays_one() -> None:
    tracker = KeyTracker(manifest())
    guess = tracker.update(logits(3, by=0.5), recent(3), cents=0.0, time_s=1.0)
    assert guess.state == "searching"
    held = tracker.update(logits(3), recent(24), cents=0.0, time_s=4.0)
    assert held == replace(guess, time_s=4.0, age_s=3.0)


@pytest.mark.parametrize(
    ("last", "contrast", "state"),
    [(24, 0.5, "unclear"), (0, 0.13, "unclear"), (0, 0.25, "clear")],
    ids=["no key", "noise", "few tones"],
)
def test_seconds_that_tell_nothing_give_no_key(last: int, contrast: float, state: str) -> None:
    found = KeyTracker(manifest()).update(logits(0), recent(last, contrast=contrast), cents=0.0, time_s=1.0)
    assert found.state == state


def test_a_second_that_may_be_drums_needs_tones_that_stand_out() -> None:
    doubtful = logits(0)
    doubtful[24] = 5.5  # of no key: one in twenty
    for contrast, state in ((0.3, "unclear"), (0.4, "clear")):
        found = KeyTracker(manifest()).update(doubtful, Recent(doubtful, contrast), cents=0.0, time_s=1.0)
        assert found.state == state


def test_a_model_of_other_columns_is_refused() -> None:
    other = replace(manifest(), input=replace(manifest().input, columns=72))
    with pytest.raises(ManifestError, match="sees 72 columns, this program makes 2364"):
        KeyHead(SimpleNamespace(manifest=other, outputs=25))


def test_a_model_of_other_keys_is_refused() -> None:
    other = replace(manifest(), output={"labels": ["C major"]})
    with pytest.raises(ManifestError, match="this program knows C major"):
        KeyTracker(other)
