"""The whole signal path, without I/O: resample > log-mel > heads (windows > models > decoding).

Sound is analysed in steps of 0.1 s on the sample clock, so what comes out depends on the sound alone, never on how it
was cut into blocks. Times are seconds on that clock; levels are dB re full scale.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.head import Step
from stream_analyzer.analysis.level import SILENCE_DBFS, measure_level
from stream_analyzer.analysis.mixing import Mixer
from stream_analyzer.analysis.movement import Movement
from stream_analyzer.analysis.resample import Resampler, pick_channels
from stream_analyzer.analysis.silence import NoiseFloor, SilenceCauses, explain
from stream_analyzer.analysis.steps import STEPS_PER_SECOND, Steps
from stream_analyzer.types import (
    SPECTRUM_CEIL_DB,
    SPECTRUM_FLOOR_DB,
    AudioBlock,
    Genre,
    Silence,
    Spectrum,
    State,
    Status,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.analysis.features import FeatureSpec
    from stream_analyzer.analysis.head import Head
    from stream_analyzer.analysis.movement import Steady
    from stream_analyzer.kinds import Described
    from stream_analyzer.types import F32, U8

GAP_FILLED_S = 0.5
LOUDEST = 1e4  # 80 dB above full scale: no sound, and its power would overflow float32
SILENT_AFTER_STEPS = 10
FORGET_AFTER_STEPS = 30
_DETAIL: dict[State, str] = {
    "degraded": "sound was lost; predictions may suffer until it has left the window",
    "cancelling": "the channels cancel each other: one may be inverted; the strongest is heard alone",
}
_NO_SILENCE: Silence = "none"


class Analyzer:
    """Turns audio blocks into events. Synchronous and without a clock; one thread owns it."""

    def __init__(self, heads: Sequence[Head], *, channel: int | None = None) -> None:
        """Let ``heads`` hear the mix of all channels, or the ``channel``-th alone (from 1)."""
        self._heads, self._channel = tuple(heads), channel
        self._log_mels = {spec: StreamingLogMel(spec) for spec in _wanted(heads)}
        self._mixer, self._movement = Mixer(), Movement()
        self._longest_window_s = max((head.window_s for head in heads), default=0.0)
        self._causes, self._floor = SilenceCauses(), NoiseFloor()
        self._resamplers: dict[int, Resampler] = {}
        self._began_s: dict[FeatureSpec, float] = {}
        self._said: dict[type[Described], Described] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything, the clock included; equal to a new analyzer."""
        self._steps: Steps | None = None
        self._state: tuple[State, str] | None = None
        self._lost_s = 0.0
        self._nonfinite = 0
        self._analysed = 0
        self._start_afresh()
        for head in self._heads:
            head.reset()

    def feed(self, block: AudioBlock) -> list[Described]:
        """Analyse a block and return the events of the steps it completes, in order.

        ``block.samples`` is float32 [n, channels] of any n. Lost sound is filled with silence up to 0.5 s; more of it,
        or another rate or channel count, starts the windows afresh.
        """
        channels = block.samples.shape[1]
        heard = self._finite(pick_channels(block.samples[:, : channels - block.spare], self._channel))
        self._heard_channels = heard.shape[1]
        samples = heard if channels == heard.shape[1] else np.hstack([heard, block.samples])
        lost_s = block.lost / block.rate_hz
        self._lost_s += lost_s
        steps = self._steps
        if steps is None or steps.format != (block.rate_hz, samples.shape[1]) or lost_s > GAP_FILLED_S:
            steps = self._open(block.rate_hz, samples.shape[1], start_s=self._clock_s + lost_s)
        elif block.lost:
            samples = np.concatenate([np.zeros((block.lost, samples.shape[1]), np.float32), samples])
            self._degraded_until_s = steps.end_s + lost_s + self._longest_window_s
        return [
            event
            for step, end_s in steps.push(samples)
            for event in self._analyse(step, rate_hz=block.rate_hz, time_s=end_s)
        ]

    def completes_step(self, block: AudioBlock) -> bool:
        """Whether feeding a block analyses anything; if not, `feed` takes no time."""
        steps = self._steps
        return steps is None or bool(block.lost) or steps.is_full_with(len(block.samples))

    def switch(self, heads: Sequence[Head]) -> None:
        """Let other heads hear from the next step on; those that stay keep what they know, and so does all else."""
        self._heads = tuple(heads)
        self._longest_window_s = max((head.window_s for head in heads), default=0.0)
        self._said = {}
        new = [spec for spec in _wanted(heads) if spec not in self._log_mels]
        self._log_mels = {spec: self._log_mels.get(spec) or StreamingLogMel(spec) for spec in _wanted(heads)}
        if self._steps:
            rate_hz, _ = self._steps.format
            begins_s = self._steps.end_s - len(self._steps.rest()[0]) / rate_hz
            self._began_s = {spec: begins_s if spec in new else self._began_s[spec] for spec in self._log_mels}
            rates = {spec.sample_rate_hz for spec in self._log_mels}
            self._resamplers = {rate: self._resamplers.get(rate) or Resampler(rate_hz, rate) for rate in rates}

    def listen_to(self, channel: int | None) -> None:
        """Hear another channel from the next block on, None for the mix."""
        if channel != self._channel:
            self._channel = channel
            self._start_afresh()

    def device_lost(self, detail: str) -> list[Described]:
        """Note that the source stopped delivering."""
        return self._change_state("device_lost", time_s=self._clock_s, detail=detail)

    def end(self) -> list[Described]:
        """Analyse what is left of the last step, and end. Feed nothing afterwards but after `reset`."""
        events: list[Described] = []
        if self._steps is not None:
            rest, end_s = self._steps.rest()
            rate_hz, _ = self._steps.format
            events = self._analyse(rest, rate_hz=rate_hz, time_s=end_s) if len(rest) else []
        return events + self._change_state("ended", time_s=self._clock_s)

    @property
    def _clock_s(self) -> float:
        return self._steps.end_s if self._steps else 0.0

    def _open(self, rate_hz: int, channels: int, *, start_s: float) -> Steps:
        """Start an unbroken stretch of sound."""
        self._start_afresh()
        self._mixer.reset()
        self._resamplers = {rate: Resampler(rate_hz, rate) for rate in {s.sample_rate_hz for s in self._log_mels}}
        for log_mel in self._log_mels.values():
            log_mel.reset()
        self._began_s = dict.fromkeys(self._log_mels, start_s)
        self._steps = Steps(rate_hz=rate_hz, channels=channels, start_s=start_s)
        return self._steps

    def _start_afresh(self) -> None:
        self._heard = False
        self._steady: Steady | None = None
        self._quiet_steps = 0
        self._causes.reset()
        self._floor.reset()
        self._degraded_until_s = 0.0
        self._forget()

    def _forget(self) -> None:
        self._movement.reset()
        self._music: bool | None = None
        self._had_music = False
        self._reset_heads()

    def _reset_heads(self) -> None:
        self._said = {}
        for head in self._heads:
            if not head.measures:
                head.reset()

    def _finite(self, samples: F32) -> F32:
        sound = np.abs(samples) <= LOUDEST  # false for NaN too
        if sound.all():
            return samples
        self._nonfinite += int(np.count_nonzero(~sound))
        return np.where(sound, samples, np.float32(0.0))

    def _analyse(self, samples: F32, *, rate_hz: int, time_s: float) -> list[Described]:
        """Analyse the step that ends at ``time_s``: [n, channels], those that are heard first, then all if more are."""
        channels = samples[:, : self._heard_channels]
        heard = self._mixer.push(channels)
        level = measure_level(channels, heard, time_s=time_s)
        rises = self._floor.rises(level.rms_dbfs)
        if level.rms_dbfs < SILENCE_DBFS and not (rises and self._movement.moves):
            self._quiet_steps += 1
            others = samples[:, self._heard_channels :]
            self._causes.look(channels, others if others.shape[1] else channels)
        else:
            self._listen()
        resampled = {rate: resampler.push(heard) for rate, resampler in self._resamplers.items()}
        frames = {spec: log_mel.push(resampled[spec.sample_rate_hz]) for spec, log_mel in self._log_mels.items()}
        self._watch(frames[SPEC])
        events: list[Described] = [level]
        if len(frames[SPEC]):
            events.append(Spectrum(time_s=time_s, levels=spectrum_levels(frames[SPEC])))
        idle = self._silent or self._steady is not None
        sound = resampled[SPEC.sample_rate_hz]
        next_s = {spec: self._began_s[spec] + log_mel.next_s for spec, log_mel in self._log_mels.items()}
        step = Step(time_s, channels, rate_hz, level, idle, frames, sound, next_s, self._said)
        for head in self._heads:
            said = head.hear(step)
            self._said |= {type(event): event for event in said}
            events += said
        self._heed(events)
        self._analysed += 1
        return events + self._change_state(self._sound_state(time_s), time_s=time_s)

    def _listen(self) -> None:
        """Take note of sound; what was before a long silence says nothing of what comes after it."""
        if self._quiet_steps >= FORGET_AFTER_STEPS:
            self._forget()
        self._heard = True
        self._quiet_steps = 0
        self._causes.reset()

    def _watch(self, frames: F32) -> None:
        """Note whether the spectrum moves; what stood still before it does was no music, and says nothing of it."""
        self._movement.push(frames)
        ticks = self._music is False and self._movement.ticks  # music may be a drone with a few drums
        steady = self._movement.steady or ("noise" if ticks else None)
        if steady and not self._steady and not self._had_music:
            self._reset_heads()
        if self._steady and not steady:
            self._forget()
        self._steady = steady

    def _heed(self, events: list[Described]) -> None:
        """Note what was said of whether this is music."""
        for event in events:
            if isinstance(event, Genre) and event.state in ("music", "not_music"):
                self._music = event.state == "music"
                self._had_music = self._had_music or self._music

    @property
    def _silent(self) -> bool:
        return self._quiet_steps >= SILENT_AFTER_STEPS

    def _sound_state(self, time_s: float) -> State:
        if self._silent:
            return "silent"
        if self._steady:
            return "steady"
        if time_s < self._degraded_until_s:
            return "degraded"
        if not all(head.ready for head in self._heads):
            return "warming" if self._heard else "starting"
        return "live" if self._mixer.alone is None else "cancelling"

    def _change_state(self, state: State, *, time_s: float, detail: str = "") -> list[Described]:
        """Return a status when the state changes, and each second."""
        causes = self._causes
        silence, sound_on = (causes.cause, causes.sound_on) if state == "silent" else (_NO_SILENCE, None)
        detail = detail or (explain(silence, sound_on) if state == "silent" else _DETAIL.get(state, ""))
        if state == "steady":
            detail = f"only a {self._steady} that does not move: no music"
        if (state, detail) == self._state and self._analysed % STEPS_PER_SECOND:
            return []
        self._state = (state, detail)
        status = Status(time_s, state, detail, lag_s=0.0, lost_s=self._lost_s, nonfinite=self._nonfinite, clients=0)
        return [replace(status, silence=silence, sound_on=sound_on)]


def _wanted(heads: Sequence[Head]) -> tuple[FeatureSpec, ...]:
    """Return the log-mel frames that are computed: those that are sent, and what heads need."""
    return tuple(dict.fromkeys((SPEC, *(spec for head in heads for spec in head.features))))


def spectrum_levels(frames: F32) -> U8:
    """Map log-mel [n, bands] to levels 0..255 for SPECTRUM_FLOOR_DB..SPECTRUM_CEIL_DB."""
    per_db = 255.0 / (SPECTRUM_CEIL_DB - SPECTRUM_FLOOR_DB)
    decibels = frames * np.float32(10.0 / np.log(10.0)) - np.float32(SPECTRUM_FLOOR_DB)
    levels: U8 = np.clip(np.rint(decibels * np.float32(per_db)), 0, 255).astype(np.uint8)
    return levels
