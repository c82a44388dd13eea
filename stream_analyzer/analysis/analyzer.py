"""The whole signal path, without I/O: resample > log-mel > windows > models > decoding.

Sound is analysed in steps of 0.1 s on the sample clock, so what comes out depends on the sound alone, never on how it
was cut into blocks. Times are seconds on that clock; levels are dB re full scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.genre.tracker import GenreTracker
from stream_analyzer.analysis.level import SILENCE_DBFS, measure_level
from stream_analyzer.analysis.resample import Resampler, mix, pick_channels
from stream_analyzer.analysis.rolling import RollingWindow
from stream_analyzer.analysis.steps import STEPS_PER_SECOND, Steps
from stream_analyzer.analysis.tempo.tracker import TempoTracker
from stream_analyzer.errors import ManifestError
from stream_analyzer.types import SPECTRUM_CEIL_DB, SPECTRUM_FLOOR_DB, AudioBlock, Event, Spectrum, State, Status

if TYPE_CHECKING:
    from stream_analyzer.analysis.model import TfliteModel
    from stream_analyzer.types import F32, U8, TempoRange

GAP_FILLED_S = 0.5
LOUDEST = 1e4  # 80 dB above full scale: no sound, and its power would overflow float32
SILENT_AFTER_STEPS = 10
FORGET_AFTER_STEPS = 30
_DETAIL: dict[State, str] = {
    "silent": f"no sound above {SILENCE_DBFS:.0f} dBFS",
    "degraded": "sound was lost; predictions may suffer until it has left the window",
}


@dataclass(frozen=True, slots=True)
class Models:
    """The models an analyzer runs."""

    genre: TfliteModel
    tempo: TfliteModel

    def __post_init__(self) -> None:
        """Refuse a model that was made for something else."""
        for task, model in (("genre", self.genre), ("tempo", self.tempo)):
            if model.manifest.task != task:
                msg = f"model {model.manifest.name} is for {model.manifest.task}, not {task}; restore the models folder"
                raise ManifestError(msg)

    @property
    def longest_window_s(self) -> float:
        """Seconds until a fault in the sound has left every window."""
        return max(self.genre.manifest.window_s, self.tempo.manifest.window_s)

    @property
    def first_judgement_s(self) -> float:
        """Seconds of sound until each kind can be judged for the first time."""
        return max(self.genre.manifest.first_s, self.tempo.manifest.first_s) + 1.0 / STEPS_PER_SECOND


class Analyzer:
    """Turns audio blocks into events. Synchronous and without a clock; one thread owns it."""

    def __init__(self, models: Models, *, channel: int | None = None, tempo_range: TempoRange | None = None) -> None:
        """Run ``models`` on the mix of all channels, or on the ``channel``-th alone (from 1).

        Tempi outside of ``tempo_range`` (lowest and highest BPM, an octave apart at least) show as the octave within.
        """
        self._models, self._channel = models, channel
        self._log_mel = StreamingLogMel(SPEC)
        genre, tempo = models.genre.manifest, models.tempo.manifest
        self._genre_window = RollingWindow(genre.input, n_mels=SPEC.n_mels, fill=SPEC.log_floor)
        self._tempo_window = RollingWindow(tempo.input, n_mels=SPEC.n_mels, fill=SPEC.log_floor)
        self._genre, self._tempo = GenreTracker(genre), TempoTracker(tempo, tempo_range=tempo_range)
        self.reset()

    def reset(self) -> None:
        """Forget everything, the clock included; equal to a new analyzer."""
        self._steps: Steps | None = None
        self._state: tuple[State, str] | None = None
        self._lost_s = 0.0
        self._nonfinite = 0
        self._analysed = 0
        self._start_afresh()

    def feed(self, block: AudioBlock) -> list[Event]:
        """Analyse a block and return the events of the steps it completes, in order.

        ``block.samples`` is float32 [n, channels] of any n. Lost sound is filled with silence up to 0.5 s; more of it,
        or another rate or channel count, starts the windows afresh.
        """
        samples = self._finite(pick_channels(block.samples, self._channel))
        lost_s = block.lost / block.rate_hz
        self._lost_s += lost_s
        steps = self._steps
        if steps is None or steps.format != (block.rate_hz, samples.shape[1]) or lost_s > GAP_FILLED_S:
            steps = self._open(block.rate_hz, samples.shape[1], start_s=self._clock_s + lost_s)
        elif block.lost:
            samples = np.concatenate([np.zeros((block.lost, samples.shape[1]), np.float32), samples])
            self._degraded_until_s = steps.end_s + lost_s + self._models.longest_window_s
        return [event for step, end_s in steps.push(samples) for event in self._analyse(step, time_s=end_s)]

    def device_lost(self, detail: str) -> list[Event]:
        """Note that the source stopped delivering."""
        return self._change_state("device_lost", time_s=self._clock_s, detail=detail)

    def end(self) -> list[Event]:
        """Analyse what is left of the last step, and end. Feed nothing afterwards but after `reset`."""
        events: list[Event] = []
        if self._steps is not None:
            rest, end_s = self._steps.rest()
            events = self._analyse(rest, time_s=end_s) if len(rest) else []
        return events + self._change_state("ended", time_s=self._clock_s)

    @property
    def _clock_s(self) -> float:
        return self._steps.end_s if self._steps else 0.0

    def _open(self, rate_hz: int, channels: int, *, start_s: float) -> Steps:
        """Start an unbroken stretch of sound."""
        self._start_afresh()
        self._resampler = Resampler(rate_hz, SPEC.sample_rate_hz)
        self._log_mel.reset()
        self._steps = Steps(rate_hz=rate_hz, channels=channels, start_s=start_s)
        return self._steps

    def _start_afresh(self) -> None:
        self._heard = False
        self._quiet_steps = 0
        self._degraded_until_s = 0.0
        self._forget()

    def _forget(self) -> None:
        for part in (self._genre_window, self._tempo_window, self._genre, self._tempo):
            part.reset()

    def _finite(self, samples: F32) -> F32:
        sound = np.abs(samples) <= LOUDEST  # false for NaN too
        if sound.all():
            return samples
        self._nonfinite += int(np.count_nonzero(~sound))
        return np.where(sound, samples, np.float32(0.0))

    def _analyse(self, samples: F32, *, time_s: float) -> list[Event]:
        """Analyse the step of samples [n, channels] that ends at ``time_s``."""
        level = measure_level(samples, time_s=time_s)
        self._listen(quiet=level.rms_dbfs < SILENCE_DBFS)
        frames = self._log_mel.push(self._resampler.push(mix(samples)))
        events: list[Event] = [level]
        if len(frames):
            events.append(Spectrum(time_s=time_s, levels=spectrum_levels(frames)))
            events += self._judge(frames, time_s=time_s)
        self._analysed += 1
        return events + self._change_state(self._sound_state(time_s), time_s=time_s)

    def _listen(self, *, quiet: bool) -> None:
        """Count silence; what was before a long one says nothing of what comes after it."""
        if not quiet:
            if self._quiet_steps >= FORGET_AFTER_STEPS:
                self._forget()
            self._heard = True
        self._quiet_steps = self._quiet_steps + 1 if quiet else 0

    def _judge(self, frames: F32, *, time_s: float) -> list[Event]:
        self._tempo.push(frames)
        tempo_due, genre_due = self._tempo_window.push(frames), self._genre_window.push(frames)
        events: list[Event | None] = []
        if self._silent:
            events += [self._tempo.hold(time_s=time_s)] if tempo_due else []
            events += [self._genre.hold(time_s=time_s)] if genre_due else []
        else:
            if tempo_due:
                events.append(self._tempo.update(self._listen_to_tempo, time_s=time_s))
            if genre_due:
                events.append(self._genre.update(self._models.genre.run(self._genre_window.frames), time_s=time_s))
        return [event for event in events if event is not None]

    def _listen_to_tempo(self, frames: int) -> F32:
        """Return what the tempo model says of the newest ``frames`` of its window alone."""
        return self._models.tempo.run(self._tempo_window.newest(frames))

    @property
    def _silent(self) -> bool:
        return self._quiet_steps >= SILENT_AFTER_STEPS

    def _sound_state(self, time_s: float) -> State:
        if self._silent:
            return "silent"
        if time_s < self._degraded_until_s:
            return "degraded"
        if self._genre_window.ready and self._tempo_window.ready:
            return "live"
        return "warming" if self._heard else "starting"

    def _change_state(self, state: State, *, time_s: float, detail: str = "") -> list[Event]:
        """Return a status when the state changes, and each second."""
        detail = detail or _DETAIL.get(state, "")
        if (state, detail) == self._state and self._analysed % STEPS_PER_SECOND:
            return []
        self._state = (state, detail)
        return [Status(time_s, state, detail, lag_s=0.0, lost_s=self._lost_s, nonfinite=self._nonfinite, clients=0)]


def spectrum_levels(frames: F32) -> U8:
    """Map log-mel [n, bands] to levels 0..255 for SPECTRUM_FLOOR_DB..SPECTRUM_CEIL_DB."""
    per_db = 255.0 / (SPECTRUM_CEIL_DB - SPECTRUM_FLOOR_DB)
    decibels = frames * np.float32(10.0 / np.log(10.0)) - np.float32(SPECTRUM_FLOOR_DB)
    levels: U8 = np.clip(np.rint(decibels * np.float32(per_db)), 0, 255).astype(np.uint8)
    return levels
