"""Make the bundled demo set: five short pieces of plainly different genre and tempo, mixed into one Ogg Vorbis file.

Run ``python -m training.music.demo`` (needs Debian's mma, fluidsynth and fluid-soundfont-gm); it writes ``demo.ogg``
and ``demo.json``, the same samples each time. The charts and patterns below are ours. MMA (GPL) turns them into MIDI,
FluidSynth (LGPL) plays them with the FluidR3 font (MIT); only rendered sound is shipped. No model is tuned to it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F32

SOUND_FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
RATE_HZ = 44_100
BEATS_A_BAR = 4
TICKS_A_BEAT = 192  # MMA's resolution
CROSSFADE_S = 1.0
LOUDNESS_DBFS = -16.0
VORBIS_COMPRESSION = 0.9  # about 76 kbit/s
BASS_CORNER_HZ = 70.0  # loudness is matched above this, roughly as the ear weighs it
DEGREES = {"8": "1+", "9": "2+", "0": "3+", "v": "5-", "s": "6-", "b": "7-"}  # 1..7 stand for themselves


@dataclass(frozen=True, slots=True)
class Voice:
    """One pitched track. ``steps``: grids of a bar, joined by ``|``; ``.`` rests, ``_`` holds, the rest is a note.

    On a ``Chord`` track a note is a loudness 1..9 of the whole chord, on a ``Bass`` track a degree of its scale.
    """

    track: str
    sound: str
    octave: int
    volume: int
    steps: str
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece: a chord each bar, drums as grids of loudness 1..9 (16 steps a bar, or 12 for triplets)."""

    genre: str
    style: str
    bpm: float
    kit: str
    chords: str
    drums: dict[str, str]
    voices: tuple[Voice, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds without its fade-out."""
        return len(self.chords.split()) * BEATS_A_BAR * 60.0 / self.bpm


PARTS = (
    Part(
        genre="electronic",
        style="house",
        bpm=124,
        kit="Electronic",
        chords="Am7 Fmaj7 CM7 Em7 Am7 Fmaj7 Dm7 Em7",
        drums={
            "KickDrum1": "9...9...9...9...",
            "HandClap": "....8.......8...|....8.......8..4",
            "ClosedHiHat": "7...7...7...7...",
            "OpenHiHat": "..5...5...5...5.",
            "Maracas": "3244324432443244",
        },
        voices=(
            Voice("Bass", "SynthBass1", 3, 110, "..11..1_..11..5_|..11..1_..1_7.5_"),
            Voice("Chord-Stab", "Piano1", 5, 90, "8_.7_.7_..7_.6_.|8_.7_.7_..7_7_7_"),
            Voice("Chord-Pad", "SynthStrings1", 5, 55, "5_______________"),
            Voice("Bass-Lead", "SawWave", 5, 62, "................|........5_3_1_3_|5___3_..........|..1_..3_..5_7_8_"),
        ),
    ),
    Part(
        genre="jazz",
        style="swing blues",
        bpm=148,
        kit="Jazz",
        chords="F7 Bb7 F7 F7 Bb7 Bb7 F7 D7 Gm7 C7",
        drums={
            "RideCymbal1": "8..8.68..8.6",
            "PedalHiHat": "...8.....8..",
            "KickDrum1": "6..4..6..4..",
            "SnareDrum1": ".......3....|.....5......|............|..4.....5..4",
        },
        voices=(
            Voice("Bass", "AcousticBass", 3, 127, "1__3__5__6__|8__7__5__3__|1__2__3__5__|8__5__3__b__"),
            Voice("Chord-Comp", "Piano1", 4, 78, ".....7_.....|7_......6_..|.....7_..6_.|..7_........"),
            Voice("Bass-Lead", "TenorSax", 4, 84, "5__..6_8__5_|6_53_1......|..5_.68__9_8|0__8_6_5_..."),
        ),
    ),
    Part(
        genre="hiphop",
        style="boom bap",
        bpm=92,
        kit="Standard",
        chords="Dm9 Dm9 Gm7 A7 Dm9 Bbmaj7",
        drums={
            "KickDrum1": "9.....5.9.8.....|9.....5.9.8....6",
            "SnareDrum1": "....9.......9...|....9..3....9...",
            "HandClap": "....6.......6...",
            "ClosedHiHat": "8.3.8.3.8.3.8.3.|8.3.8.3.8.3.8333",
            "OpenHiHat": "................|..............5.",
        },
        voices=(
            Voice("Bass", "FingeredBass", 2, 120, "1_____1_5_1_....|1_____1_3_v_b___"),
            Voice("Chord-Keys", "RhodesPiano", 4, 84, "7_______..5_____"),
            Voice("Bass-Lead", "Vibraphone", 5, 72, "............5_7_|8___7_5_3_______"),
        ),
    ),
    Part(
        genre="electronic",
        style="drum and bass",
        bpm=172,
        kit="Power",
        chords="Em7 Em7 CM7 D Em7 Em7 CM7 Bm7 Em7 Em7 CM7 D",
        drums={
            "KickDrum1": "9.........9.....|9.......4.9.....",
            "SnareDrum1": "....9.......9...|....9..4....9..4",
            "ClosedHiHat": "8.4.8.4.8.4.8.4.",
            "RideCymbal2": "8...8...8...8...",
        },
        voices=(
            Voice("Bass", "SynthBass2", 2, 62, "1_________1_____|1_____..1_..3_v_"),
            Voice("Chord-Pad", "WarmPad", 5, 84, "7_______________"),
            Voice("Chord-Keys", "EPiano", 5, 70, "7_____6_....6___|................"),
            Voice("Bass-Lead", "SquareWave", 5, 46, "1___5___3___5___|8___7___5___3___"),
        ),
    ),
    Part(
        genre="metal",
        style="heavy metal",
        bpm=136,
        kit="Power",
        chords="E5 E5 G5 F5 E5 E5 D5 F5 E5",
        drums={
            "KickDrum1": "9.8.9.8.9.8.9.8.|9.8.9.889.8.9888",
            "SnareDrum1": "....9.......9...|....9.......9.7.",
            "CrashCymbal1": "7...............|................",
            "OpenHiHat": "8...7...8...7...",
        },
        voices=(
            Voice("Bass", "PickedBass", 2, 110, "1_1_1_111_1_1_11"),
            Voice("Chord-Left", "DistortionGuitar", 3, 90, "9_7677_68_7678_7", "MidiPan 10"),
            Voice("Chord-Right", "OverDriveGuitar", 3, 96, "9_7677_68_7678_7", "MidiPan 117"),
            Voice("Bass-Lead", "DistortionGuitar", 5, 66, "................|5_5_4_3_1_1_3_4_"),
        ),
    ),
)


def to_sequence(steps: str, *, kind: str) -> str:
    """Write grids as an MMA sequence: each note is its beat, its length in ticks and its loudness or degree."""
    bars = []
    for bar in steps.split("|"):
        beats_a_step = BEATS_A_BAR / len(bar)
        notes = []
        for at, mark in enumerate(bar):
            if mark in "._":
                continue
            held = len(bar[at + 1 :]) - len(bar[at + 1 :].lstrip("_"))
            length = "0" if kind == "Drum" else f"{round((held + 0.85) * beats_a_step * TICKS_A_BEAT)}t"
            value = f"{DEGREES.get(mark, mark)} 100" if kind == "Bass" else str(int(mark) * 14)
            notes.append(f"{1 + at * beats_a_step:.4f} {length} {value}")
        bars.append("{" + "; ".join(notes) + "}" if notes else "z")
    return " ".join(bars)


def to_chart(part: Part, *, seed: int) -> str:
    """Write the part as an MMA file."""
    lines = [f"RndSeed {seed}", "Time 4", f"Tempo {part.bpm}", "SeqSize 4", f"Drum Voice {part.kit}Kit"]
    for tone, steps in part.drums.items():
        track = f"Drum-{tone}"
        lines += [f"{track} Tone {tone}", f"{track} RVolume 6", f"{track} Sequence {to_sequence(steps, kind='Drum')}"]
    for voice in part.voices:
        kind = voice.track.partition("-")[0]
        settings = [f"Voice {voice.sound}", f"Octave {voice.octave}", f"MidiVolume {voice.volume}", "RVolume 6"]
        settings += ["Voicing Mode=Optimal"] if kind == "Chord" else []
        settings += [voice.extra] if voice.extra else []
        lines += [f"{voice.track} {s}" for s in (*settings, f"Sequence {to_sequence(voice.steps, kind=kind)}")]
    return "\n".join([*lines, *part.chords.split()]) + "\n"


def run(command: list[str]) -> None:
    """Run a program; if it fails, end with what it said (MMA explains itself on standard output)."""
    if not shutil.which(command[0]):
        sys.exit(f"{command[0]} is not installed; apt-get install mma fluidsynth fluid-soundfont-gm")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed with exit code {done.returncode}: {done.stdout}{done.stderr}")


def render(part: Part, *, folder: Path, seed: int) -> F32:
    """Play one part: float32 [samples, 2], its bars and a tail of CROSSFADE_S, at the common loudness."""
    chart, midi, wav = (folder / f"part.{end}" for end in ("mma", "mid", "wav"))
    chart.write_text(to_chart(part, seed=seed))
    run(["mma", "-f", str(midi), str(chart)])
    room = ["-o", "synth.reverb.room-size=0.4", "-o", "synth.reverb.level=0.35", "-o", "synth.chorus.active=0"]
    output = ["-g", "0.4", "-r", str(RATE_HZ), "-O", "float", "-F", str(wav)]
    run(["fluidsynth", "-niq", *output, *room, str(SOUND_FONT), str(midi)])
    sound, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    whole = np.zeros((round((part.duration_s + CROSSFADE_S) * RATE_HZ), 2), np.float32)
    whole[: len(sound)] = sound[: len(whole)]
    return master(whole)


def loudness_dbfs(sound: F32) -> float:
    """Mean power of float32 [samples, channels] in dB re full scale, with the bass weighed down."""
    spectrum = np.fft.rfft(sound.mean(axis=1))
    ratio = np.fft.rfftfreq(len(sound), 1 / RATE_HZ) / BASS_CORNER_HZ
    weighed = np.fft.irfft(spectrum * ratio**2 / (1 + ratio**2), len(sound))
    return float(10 * np.log10(np.mean(weighed**2)))


def master(sound: F32) -> F32:
    """Bring a part to LOUDNESS_DBFS and round its peaks off with a tanh, so that it can't clip."""
    limited = sound
    for _ in range(4):  # limiting takes some loudness away again
        gain = 10 ** ((LOUDNESS_DBFS - loudness_dbfs(limited)) / 20)
        limited = (0.85 * np.tanh(gain * limited / 0.85)).astype(np.float32)
    return limited


def mix(sounds: list[F32]) -> tuple[F32, list[float]]:
    """Lay the parts end to end, each tail fading out under the next start; with each start in seconds."""
    fade = round(CROSSFADE_S * RATE_HZ)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None]
    whole = np.zeros((sum(len(s) - fade for s in sounds) + fade, 2), np.float32)
    starts_s, at = [], 0
    for sound in sounds:
        shaped = sound.copy()
        shaped[-fade:] *= ramp[::-1]
        whole[at : at + len(shaped)] += shaped
        starts_s.append(at / RATE_HZ)
        at += len(shaped) - fade
    return 0.97 * np.tanh(whole / 0.97), starts_s


def make(out: Path, parts: tuple[Part, ...] = PARTS) -> None:
    """Write ``demo.ogg`` and ``demo.json`` into ``out``."""
    with tempfile.TemporaryDirectory() as folder:
        sounds = [render(part, folder=Path(folder), seed=7 + i) for i, part in enumerate(parts)]
    whole, starts_s = mix(sounds)
    out.mkdir(parents=True, exist_ok=True)
    form = {"format": "OGG", "subtype": "VORBIS", "compression_level": VORBIS_COMPRESSION}
    with soundfile.SoundFile(out / "demo.ogg", "w", RATE_HZ, 2, **form) as file:
        for second in np.array_split(whole, len(whole) // RATE_HZ):  # one long write overflows libsndfile's stack
            file.write(second)
    ends_s = [*starts_s[1:], len(whole) / RATE_HZ]
    table = [
        {"start_s": round(start, 3), "end_s": round(end, 3), "bpm": part.bpm, "style": part.style, "genre": part.genre}
        for part, start, end in zip(parts, starts_s, ends_s, strict=True)
    ]
    (out / "demo.json").write_text(json.dumps(table, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.music.demo", description="Make the bundled demo set.")
    parser.add_argument("--out", type=Path, default=Path("stream_analyzer"), help="folder to write to (%(default)s)")
    make(parser.parse_args(arguments).out)


if __name__ == "__main__":
    main()
