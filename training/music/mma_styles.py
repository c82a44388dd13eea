"""Which accompaniment styles of MMA are rendered, and at which tempi each is usually played (BPM of its quarter note).

The first rule whose word occurs in a style's file name decides; styles that no rule names are not used. Compound metres
(6/8, 12/8, 5/4) are left out: MMA's tempo there is not the beat a listener taps.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

LIBRARY = Path("/usr/share/mma/lib")
COMPOUND = ("68", "128", "-54")
SKIPPED_FILES = ("bald34", "blues34", "rock34", "count", "intro", "ending", "metronome", "metronome3", "none")
SKIPPED_GROOVES = ("Intro", "End", "Fill", "Break", "Ending")
RULES: tuple[tuple[str, float, float], ...] = (
    ("vienesewaltz", 150, 190), ("frenchwaltz", 130, 180), ("fastwaltz", 150, 200), ("fastjazzwaltz", 150, 200),
    ("latinwaltz", 100, 150), ("waltz", 84, 150), ("16beatballad", 58, 84), ("8beatballad", 58, 86),
    ("slow16beat", 58, 84), ("rb-ballad", 58, 84), ("ballad", 56, 86), ("60spop", 110, 140), ("60srock", 120, 165),
    ("60ssoul", 95, 125), ("50s", 120, 170), ("50s_rock", 120, 170), ("80spop", 105, 135), ("8beatdance", 110, 135),
    ("8beatpop", 95, 130), ("8beatmotown", 105, 140), ("8beat", 90, 135), ("16shuffle", 84, 112), ("16beat", 80, 115),
    ("beat16", 80, 118), ("beat8", 90, 140), ("ambient", 60, 100), ("arpeggio", 65, 115), ("dancepop", 112, 134),
    ("dance", 118, 140), ("discosoul", 104, 126), ("digitalrock", 115, 150), ("electricpop", 110, 140),
    ("fastbigband", 170, 240), ("bigband", 110, 180), ("slowbigband", 66, 100), ("middlebigband", 110, 160),
    ("foxtrot", 105, 140), ("lfusion", 95, 130), ("fusion", 95, 130), ("fus16", 90, 125), ("dsoul", 90, 120),
    ("bvfunk", 92, 120), ("funk", 90, 122), ("heavymetal", 110, 180), ("metal", 110, 190), ("mtl", 120, 200),
    ("trip", 68, 98), ("hip-hop", 82, 106), ("hiphop", 82, 106), ("latinhouse", 118, 130), ("house", 116, 132),
    ("jazzcombo", 120, 220), ("modernjazz", 120, 210), ("nitejazz", 70, 110), ("slowjazz", 60, 90),
    ("mellowjazz", 70, 110), ("folkyjazz", 100, 160), ("gypsyjazz", 150, 230), ("jazzguitar", 90, 160),
    ("jazzrock", 105, 150), ("jazzrhumba", 100, 135), ("jazzbossa", 105, 150), ("jazzbasie", 110, 170),
    ("jazzcountry", 110, 180), ("jazzbouncy", 120, 190), ("jazzswing", 120, 210), ("jazztrio", 120, 210),
    ("jazz", 115, 210), ("mellowrb", 66, 96), ("modernrb", 84, 110), ("r+b", 78, 108), ("rnb", 70, 104),
    ("rb", 78, 112), ("polkafox", 100, 140), ("poppolka", 100, 140), ("polka", 100, 136), ("poprock", 104, 140),
    ("popshuffle", 100, 140), ("popspiritual", 80, 115), ("worldpop", 90, 125), ("soulpop", 95, 125),
    ("pop", 92, 130), ("quickstep", 180, 215), ("rave", 128, 158), ("slowrock", 58, 84), ("softrock", 80, 115),
    ("folkrock", 100, 135), ("bubblerock", 115, 145), ("basicrock", 105, 145), ("shufflerock", 105, 145),
    ("rock", 104, 150), ("serenade", 76, 105), ("shuffle", 105, 160), ("slowswing", 70, 105),
    ("countryswing", 110, 170), ("westernswing", 130, 190), ("easyswing", 100, 140), ("fastswing", 180, 240),
    ("swing", 112, 200), ("bebop", 170, 250), ("soul", 84, 116), ("teamtechno", 124, 148), ("techno", 124, 150),
    ("trance", 128, 146), ("dnb", 160, 182), ("punk", 150, 200), ("fasttwist", 150, 190), ("twist", 140, 175),
    ("twi", 140, 175), ("ska", 125, 175), ("bluegrass", 100, 145), ("slowblues", 52, 80), ("fastblues", 130, 180),
    ("countryblues", 84, 124), ("bluefolk", 84, 124), ("blues", 84, 130), ("boggiewoggie", 130, 185),
    ("bossa", 110, 150), ("samba", 96, 120), ("chacha", 108, 128), ("rhumba", 96, 126), ("mambo", 170, 205),
    ("merengue", 120, 150), ("salsa", 160, 210), ("beguine", 104, 126), ("calypso", 100, 130),
    ("cubanguitar", 95, 130), ("afro-cuban", 95, 130), ("tango", 112, 132), ("bolero", 84, 108),
    ("charleston", 180, 220), ("dixie", 160, 220), ("ragtime", 84, 110), ("march", 104, 126), ("boneym", 112, 130),
    ("broadway", 105, 150), ("showtune", 110, 150), ("jive", 150, 184), ("happyshuffle", 110, 150),
    ("desert", 90, 130), ("evansish", 110, 160), ("cntry", 90, 135), ("slowcountry", 66, 92),
    ("hillcountry", 90, 130), ("country", 90, 140), ("western", 100, 140), ("folk", 90, 130), ("softshoe", 90, 120),
    ("strut", 95, 125), ("zydeco", 100, 130), ("spiritual", 66, 105), ("highfive", 110, 150), ("latin", 95, 130),
    ("son", 160, 200), ("hymn", 70, 100), ("lullaby", 66, 96),
)  # fmt: skip


def tempo_range(style: str) -> tuple[float, float] | None:
    """Return the usual tempi of a style file name (without folder), or None if it is not rendered."""
    if style in SKIPPED_FILES or any(word in style for word in COMPOUND):
        return None
    for word, lowest, highest in RULES:
        if word in style:
            return lowest, highest
    return None


@cache
def grooves() -> dict[str, tuple[str, ...]]:
    """Return the main grooves of every style that is rendered, by ``folder/file`` in MMA's library."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(LIBRARY.glob("*/*.mma")):
        if tempo_range(path.stem.lower()) is None:
            continue
        lines = path.read_text(encoding="latin-1").splitlines()
        names = [line.split()[1] for line in lines if line.startswith("DefGroove ") and len(line.split()) > 1]
        names = [name for name in names if not any(word in name for word in SKIPPED_GROOVES)]
        if names:
            found[f"{path.parent.name}/{path.stem}"] = tuple(names)
    return found


def song_text(style: str, *, bpm: float, seconds: float, chords: list[str], names: list[str]) -> str:
    """Return MMA source: the grooves in ``names`` take turns every eight bars over the repeated ``chords``."""
    bars = int(seconds * bpm / 60.0 / 3.0) + 4
    lines = [f"Tempo {bpm:.3f}"]
    for bar in range(bars):
        if bar % 8 == 0:
            lines.append(f"Groove {style}:{names[bar // 8 % len(names)]}")
        lines.append(f"{bar + 1} {chords[bar % len(chords)]}")
    return "\n".join(lines) + "\n"


@cache
def beats_in_bar(style: str) -> int:
    """Return the beats in a bar of ``folder/file``, 0 where its grooves differ in that."""
    text = (LIBRARY / f"{style}.mma").read_text(encoding="latin-1")
    found = {int(beats) for beats in re.findall(r"^\s*Time\s+(\d+)", text, flags=re.MULTILINE)}
    return found.pop() if len(found) == 1 else 0
