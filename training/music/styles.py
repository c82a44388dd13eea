"""Styles of electronic, rock and game music as drum-machine patterns, each at its usual tempi in BPM.

The tempo of a style is what its listeners call its BPM: that is how a model learns the octave.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Style:
    """Drum patterns of 16 steps a bar (kick, snare, hat; 12 steps are three beats), and what plays along."""

    name: str
    lowest_bpm: float
    highest_bpm: float
    drums: tuple[tuple[str, str, str], ...]
    bass: tuple[str, ...]
    programs: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    swing: float = 0.0
    weight: float = 1.0


FOUR = "x...x...x...x..."
BACKBEAT = "....x.......x..."
OFFBEAT = "..x...x...x...x."
EIGHTHS = "x.x.x.x.x.x.x.x."
SIXTEENTHS = "xxxxxxxxxxxxxxxx"
NONE = "................"
SYNTH = ((38, 39, 87), (81, 89, 90, 95, 4), (80, 81, 82, 84, 87), (81, 80, 88, 98, 11))
CHIP = ((80, 81, 38), (80, 81, 7), (80, 82), (80, 81))
BAND = ((33, 34, 35), (27, 29, 30, 0, 16), (30, 29, 65, 56, 73), (25, 26, 27, 0))
SOFT = ((32, 33, 35), (0, 4, 24, 25, 48, 89), (73, 71, 40, 52, 0), (24, 25, 0, 11))

STYLES = (
    Style(
        "house",
        116,
        132,
        ((FOUR, BACKBEAT, OFFBEAT), (FOUR, BACKBEAT, SIXTEENTHS)),
        (OFFBEAT, "x..x..x.x..x..x."),
        SYNTH,
    ),
    Style(
        "techno", 125, 152, ((FOUR, NONE, OFFBEAT), (FOUR, BACKBEAT, SIXTEENTHS)), ("..xx..xx..xx..xx", OFFBEAT), SYNTH
    ),
    Style("trance", 128, 146, ((FOUR, BACKBEAT, OFFBEAT),), (".xxx.xxx.xxx.xxx", OFFBEAT), SYNTH),
    Style("hardcore", 150, 205, ((FOUR, NONE, OFFBEAT), (FOUR, BACKBEAT, OFFBEAT)), (OFFBEAT, FOUR), SYNTH, weight=2.0),
    Style(
        "speedcore",
        190,
        260,
        ((FOUR, BACKBEAT, EIGHTHS), (FOUR, NONE, FOUR), (EIGHTHS, BACKBEAT, FOUR)),
        (OFFBEAT, FOUR, EIGHTHS),
        SYNTH,
    ),
    Style(
        "drum_and_bass",
        160,
        184,
        (("x.........x.....", BACKBEAT, EIGHTHS), ("x..x......x.....", "....x..x.x..x...", EIGHTHS)),
        ("x.......x..x....", "x..........x...."),
        SYNTH,
        weight=1.5,
    ),
    Style("jungle", 155, 178, (("x.x.......xx....", "....x..x.x..x..x", EIGHTHS),), ("x.......x.....x.",), SYNTH),
    Style(
        "breakbeat",
        108,
        150,
        (("x..x..x...x.....", BACKBEAT, EIGHTHS), ("x.....x.x.x.....", "....x..x....x..x", SIXTEENTHS)),
        ("x..x..x...x.x...", EIGHTHS),
        SYNTH,
    ),
    Style(
        "dubstep",
        136,
        150,
        (("x.........x.....", "........x.......", "x.x.x.x.x.xxx.x."),),
        ("x..x..x..x..x.x.", "x.x.x.x.xxxxx.x."),
        SYNTH,
        weight=0.7,
    ),
    Style(
        "hip_hop",
        80,
        108,
        (
            ("x.....x.x.......", BACKBEAT, EIGHTHS),
            ("x..x...x..x.....", BACKBEAT, EIGHTHS),
            ("x......xx.x.....", "....x.......x..x", SIXTEENTHS),
        ),
        ("x.....x.x.......", "x..x....x.x....."),
        ((38, 39, 33), (4, 5, 0, 48), (11, 73, 80), (4, 24, 11)),
        swing=0.1,
        weight=1.5,
    ),
    Style(
        "rock",
        96,
        150,
        (
            ("x.......x.x.....", BACKBEAT, EIGHTHS),
            ("x.x.....x.......", BACKBEAT, FOUR),
            ("x.....x.x.....x.", BACKBEAT, EIGHTHS),
        ),
        (EIGHTHS, "x.....x.x.....x."),
        BAND,
        weight=1.5,
    ),
    Style(
        "fast_rock",
        150,
        200,
        (
            ("x.......x.x.....", BACKBEAT, EIGHTHS),
            ("x.....x.x.......", BACKBEAT, EIGHTHS),
            ("x.....x...x.....", BACKBEAT, FOUR),
        ),
        (EIGHTHS, FOUR),
        BAND,
        weight=2.0,
    ),
    Style(
        "punk",
        160,
        230,
        (("x...x...x...x...", "..x...x...x...x.", EIGHTHS), ("x.......x.......", BACKBEAT, EIGHTHS)),
        (EIGHTHS,),
        BAND,
    ),
    Style(
        "metal",
        110,
        200,
        ((EIGHTHS, BACKBEAT, FOUR), (SIXTEENTHS, BACKBEAT, FOUR), ("x.xxx.xxx.xxx.xx", BACKBEAT, FOUR)),
        (EIGHTHS, "x.xxx.xxx.xxx.xx"),
        BAND,
        weight=1.5,
    ),
    Style(
        "eurobeat",
        144,
        168,
        ((FOUR, BACKBEAT, OFFBEAT), (FOUR, BACKBEAT, SIXTEENTHS)),
        ("x.xxx.xxx.xxx.xx", OFFBEAT),
        SYNTH,
    ),
    Style(
        "j_pop",
        125,
        195,
        (("x.....x.x.......", BACKBEAT, EIGHTHS), (FOUR, BACKBEAT, OFFBEAT), ("x..x..x.x..x..x.", BACKBEAT, EIGHTHS)),
        (EIGHTHS, FOUR, "x..x..x.x..x..x."),
        BAND,
        weight=2.0,
    ),
    Style(
        "chiptune",
        110,
        200,
        (("x...x...x...x...", BACKBEAT, EIGHTHS), ("x.....x.x.......", BACKBEAT, EIGHTHS), (NONE, BACKBEAT, EIGHTHS)),
        (EIGHTHS, "x..x..x.x..x..x.", SIXTEENTHS),
        CHIP,
        weight=2.5,
    ),
    Style(
        "game_battle",
        140,
        225,
        (
            ("x...x...x...x...", BACKBEAT, EIGHTHS),
            ("x.x...x.x.x...x.", BACKBEAT, EIGHTHS),
            ("x..x..x.x..x..x.", BACKBEAT, SIXTEENTHS),
        ),
        (EIGHTHS, SIXTEENTHS),
        CHIP,
        weight=2.0,
    ),
    Style(
        "disco",
        106,
        134,
        ((FOUR, BACKBEAT, OFFBEAT), (FOUR, BACKBEAT, SIXTEENTHS)),
        ("x.x.x.x.x.x.x.x.", OFFBEAT),
        BAND,
    ),
    Style(
        "funk",
        90,
        122,
        (("x..x......x..x..", "....x..x.x..x...", SIXTEENTHS), ("x.x.......xx....", "....x..x....x..x", SIXTEENTHS)),
        ("x..xx..x..x.x...", "x.x...x.xx..x.x."),
        BAND,
    ),
    Style(
        "soul",
        70,
        116,
        (("x.....x.x.......", BACKBEAT, EIGHTHS), ("x.........x.....", BACKBEAT, EIGHTHS)),
        ("x.....x.x...x...", "x..x..x.x......."),
        SOFT,
        swing=0.1,
    ),
    Style("motown", 105, 140, (("x...x...x...x...", FOUR, EIGHTHS),), ("x..xx.x.x..xx.x.",), BAND),
    Style(
        "ballad",
        54,
        84,
        (("x.........x.....", BACKBEAT, EIGHTHS), ("x.....x.x.....x.", BACKBEAT, SIXTEENTHS)),
        ("x.......x.......", "x.....x.x......."),
        SOFT,
        weight=1.5,
    ),
    Style("slow_blues", 50, 80, (("x.....x.....", "...x.....x..", "xxxxxxxxxxxx"),), ("x..x..x..x..",), SOFT),
    Style(
        "shuffle",
        95,
        160,
        (("x.....x.....", "...x.....x..", "x.xx.xx.xx.x"), ("x..x..x..x..", "...x.....x..", "x.xx.xx.xx.x")),
        ("x.xx.xx.xx.x", "x..x..x..x.."),
        BAND,
    ),
    Style(
        "swing_jazz",
        110,
        250,
        ((NONE[:12], "..........x.", "x..x.xx..x.x"), ("x..x..x..x..", NONE[:12], "x..x.xx..x.x")),
        ("x..x..x..x..",),
        SOFT,
        weight=1.5,
    ),
    Style(
        "country",
        84,
        140,
        (("x.......x.......", "....x.......x...", EIGHTHS), ("x...x...x...x...", "..x...x...x...x.", NONE)),
        ("x.......x.......",),
        BAND,
    ),
    Style(
        "polka", 100, 150, (("x.......x.......", "....x.......x...", FOUR),), ("x.......x.......",), BAND, weight=0.5
    ),
    Style(
        "ska",
        120,
        180,
        (("........x.......", "........x.......", OFFBEAT), (FOUR, BACKBEAT, OFFBEAT)),
        ("x.x.x.x.x.x.x.x.", FOUR),
        BAND,
        weight=0.7,
    ),
    Style("reggaeton", 88, 104, ((FOUR, "...x..x....x..x.", EIGHTHS),), ("x.......x.......",), SYNTH, weight=0.7),
    Style(
        "latin",
        92,
        136,
        (("x..x..x.x..x..x.", "x..x..x...x.x...", SIXTEENTHS), ("x.....xxx.....xx", "..x.xx..x.x..x..", SIXTEENTHS)),
        ("x..x..x.x..x..x.", "...x..x....x..x."),
        SOFT,
    ),
)


HALF_TIME = "........x......."
QUARTERS_8, EIGHTHS_8 = "x.x.x.x.", "xxxxxxxx"
GAME_STYLES = (
    Style(
        "game_half_time",
        135,
        215,
        (("x.........x.....", HALF_TIME, EIGHTHS), ("x..x..x...x.....", HALF_TIME, FOUR), (FOUR, HALF_TIME, FOUR)),
        (EIGHTHS_8, "x..x..x.", QUARTERS_8),
        SYNTH,
        weight=2.0,
    ),
    Style(
        "game_trap",
        130,
        185,
        (("x.....x...x.....", HALF_TIME, EIGHTHS), ("x.........x..x..", HALF_TIME, "x.x.x.x.x.xxx.x.")),
        ("x...x...", "x..x..x.", EIGHTHS_8),
        SYNTH,
        weight=1.5,
    ),
    Style(
        "chip_fast",
        165,
        250,
        (("x.......x.......", BACKBEAT, FOUR), ("x.....x.x.......", BACKBEAT, EIGHTHS), (FOUR, BACKBEAT, FOUR)),
        (EIGHTHS_8, QUARTERS_8, "x.xxx.xx"),
        CHIP,
        weight=2.0,
    ),
    Style(
        "chip_dance",
        100,
        165,
        ((FOUR, BACKBEAT, OFFBEAT), ("x.....x.x.......", BACKBEAT, EIGHTHS), (FOUR, BACKBEAT, SIXTEENTHS)),
        (EIGHTHS, EIGHTHS_8, "x..x..x.x..x..x."),
        CHIP,
    ),
    Style(
        "fast_core",
        165,
        250,
        ((FOUR, HALF_TIME, OFFBEAT), (FOUR, BACKBEAT, OFFBEAT), (FOUR, NONE, FOUR), (FOUR, FOUR, OFFBEAT)),
        (".x.x.x.x", EIGHTHS_8, QUARTERS_8),
        SYNTH,
        weight=2.0,
    ),
    Style(
        "fast_break",
        160,
        235,
        (
            ("x.x.......x.....", "....x..x.x..x...", EIGHTHS),
            ("x.........x.....", BACKBEAT, EIGHTHS),
            ("x.......x.......", "....x.......x..x", FOUR),
        ),
        ("x...x...", "x..x..x.", EIGHTHS_8),
        SYNTH,
        weight=1.5,
    ),
    Style(
        "fast_band",
        165,
        235,
        (
            ("x.......x.x.....", BACKBEAT, EIGHTHS),
            ("x.......x.......", BACKBEAT, FOUR),
            (FOUR, BACKBEAT, FOUR),
            ("x.........x.....", HALF_TIME, FOUR),
        ),
        (EIGHTHS_8, QUARTERS_8),
        BAND,
        weight=2.0,
    ),
    Style(
        "battle_strings",
        140,
        200,
        (("x.......x.......", NONE, NONE), ("x.....x.x.....x.", "....x.......x..x", NONE), (FOUR, HALF_TIME, NONE)),
        (EIGHTHS_8, "x.xxx.xx"),
        ((43, 44, 48), (48, 50, 61), (60, 56, 48), (45, 47)),
    ),
    Style(
        "game_swing",
        150,
        215,
        (("x.....x.....", "...x.....x..", "x..x.xx..x.x"), ("x.....x.....", "......x.....", "x..x..x..x..")),
        ("x..x..x..x..", "x.xx.xx.xx.x"),
        SYNTH,
        weight=0.7,
    ),
    Style(
        "game_rap",
        90,
        130,
        (("x.....x.x.......", BACKBEAT, EIGHTHS), ("x..x...x..x.....", BACKBEAT, EIGHTHS)),
        ("x.....x.x.......", "x..x....x.x....."),
        CHIP,
        weight=0.7,
    ),
)


def pick_style(rng: np.random.Generator, styles: tuple[Style, ...] = STYLES) -> Style:
    """Draw a style by weight."""
    weights = np.array([style.weight for style in styles])
    return styles[int(rng.choice(len(styles), p=weights / weights.sum()))]
