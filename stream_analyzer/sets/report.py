"""One set as one HTML file that needs nothing else: pictures, parts, totals, to be read or printed.

The pictures are drawn by matplotlib (extra `report`) and stand in the page as SVG; the only user of it in the service.
"""

from __future__ import annotations

import io
from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from stream_analyzer.analysis.key.names import camelot_of
from stream_analyzer.errors import LogError
from stream_analyzer.protocol.history import thinned
from stream_analyzer.protocol.seconds import STATES
from stream_analyzer.sets.export import clock, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stream_analyzer.protocol.seconds import Second
    from stream_analyzer.sets.reading import Night

_POINTS = 1200  # across the page
_MOST_GENRES = 9
_LOCKED = STATES.index("locked")
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c1a16; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 0.2rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 0.4rem; }
p { margin: 0.2rem 0; color: #5d574c; } svg { width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.25rem 0.7rem 0.25rem 0; border-bottom: 1px solid #d8d2c4; vertical-align: top; }
th { font-weight: 500; color: #5d574c; } .number { text-align: right; } tr.aside td { color: #5d574c; font-style: italic; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.6rem 1rem; margin: 1rem 0; }
dt { color: #5d574c; } dd { margin: 0; font-size: 1.15rem; }
@media print { body { margin: 0; max-width: none; } tr, svg { break-inside: avoid; } thead { display: table-header-group; } }
"""  # noqa: E501 - it is sent as it stands


def to_html(night: Night, seconds: Sequence[Second]) -> str:
    """Return the report. Raises `LogError` where matplotlib is missing."""
    title = f"Set {night.about.id}, {moment(night, 0)[:10]}"
    begin, end = (moment(night, second)[11:16] for second in (0, night.about.duration_s))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
<h1>{escape(title)}</h1>
<p>{begin} to {end}, {escape(night.about.source)}</p>
<dl>{_totals(night, seconds)}</dl>
<figure style="margin:0">{_picture(night, seconds)}</figure>
<h2>Parts</h2>
<table><thead><tr><th class="number">#<th>Set<th>Clock<th>Length<th class="number">BPM<th>Key<th>Genre<th class="number">LUFS<th>Title</thead>
<tbody>{_rows(night)}</tbody></table>
<p>Made by Stream Analyzer. Tempo, key and genre are judgements of models, and can be wrong.</p>
</html>
"""  # noqa: E501


def _totals(night: Night, seconds: Sequence[Second]) -> str:
    music = [second for second in seconds if second.top or second.bpm]
    tempi = sorted(second.bpm for second in music if second.bpm and second.state == _LOCKED)
    lufs = [second.lufs for second in music if second.lufs is not None]
    genres = Counter(second.top[0][0] for second in music if second.top)
    likeliest = genres.most_common(3)
    known = {
        "Length": clock(night.about.duration_s),
        "Music": clock(len(music)),
        "Parts": str(len(night.parts)),
        "Tempo": f"{tempi[0]:.0f} to {tempi[-1]:.0f} BPM" if tempi else "none",
        "Middle tempo": f"{tempi[len(tempi) // 2]:.0f} BPM" if tempi else "none",
        "Genres": ", ".join(f"{label} {count / genres.total():.0%}" for label, count in likeliest) or "none",
        "Loudness, mean": f"{sum(lufs) / len(lufs):.1f} LUFS" if lufs else "not measured",
        "Marks, gaps": f"{len(night.marks)}, {len(night.gaps)}",
    }
    return "".join(f"<div><dt>{escape(name)}<dd>{escape(value)}</div>" for name, value in known.items())


def _rows(night: Night) -> str:
    rows = []
    for part in night.parts:
        cells = (
            part.number, clock(part.start_s), moment(night, part.start_s)[11:19], clock(part.end_s - part.start_s),
            f"{part.bpm:.1f}" if part.bpm else "", f"{part.camelot or ''} {part.key or ''}", part.genre or "",
            "" if part.lufs is None else f"{part.lufs:.1f}", part.name,
        )  # fmt: skip
        numbers = (0, 4, 7)
        row = "".join(
            f"<td{' class=number' if i in numbers else ''}>{escape(str(cell))}" for i, cell in enumerate(cells)
        )
        rows.append((part.start_s, f"<tr>{row}"))
    asides = [(gap.second, f"Gap of {clock(gap.span_s)}: {gap.text}") for gap in night.gaps]
    asides += [(mark.second, f"Mark: {mark.text}".rstrip(": ")) for mark in night.marks]
    for second, text in asides:
        when = f"<td>{clock(second)}<td>{moment(night, second)[11:19]}"
        rows.append((second, f'<tr class="aside"><td>{when}<td colspan="6">{escape(text)}'))
    return "\n".join(row for _, row in sorted(rows, key=lambda one: one[0]))


def _picture(night: Night, seconds: Sequence[Second]) -> str:
    """Return tempo, genres, keys and loudness over time as SVG, below each other."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra, and slow to load
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        msg = "a report needs matplotlib; install it: pip install 'stream-analyzer[report]'"
        raise LogError(msg) from error
    span_s = max(1, round(night.about.duration_s / _POINTS))
    rows = list(thinned(seconds, span_s=span_s)) if span_s > 1 else list(seconds)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "sans-serif"}):
        figure = Figure(figsize=(11.0, 8.5), layout="constrained")
        panels: tuple[Axes, ...] = tuple(figure.subplots(4, 1, sharex=True, height_ratios=(3, 2, 2, 1.6)))
        tempo, genres, keys, loudness = panels
        _tempo(tempo, rows)
        _genres(genres, rows, span_s)
        _keys(keys, rows)
        _loudness(loudness, rows)
        _times(panels, night)
        return _svg(figure)


def _tempo(axes: Axes, rows: Sequence[Second]) -> None:
    for state, colour in ((False, "#b8b0a0"), (True, "#1c1a16")):
        some = [row for row in rows if row.bpm and (row.state == _LOCKED) is state]
        axes.plot([row.time_s for row in some], [row.bpm for row in some], ".", color=colour, markersize=2.5)
    axes.set_ylabel("BPM")
    axes.set_title("Tempo (black: locked)", loc="left", fontsize=10)


def _genres(axes: Axes, rows: Sequence[Second], span_s: int) -> None:
    sums: Counter[str] = Counter()
    for row in rows:
        for label, p in row.top:
            sums[label] += round(1000 * p)
    shown = [label for label, _ in sums.most_common(_MOST_GENRES)]
    ends = [one for row in rows for one in (row.time_s, row.time_s + span_s)]  # each row is a step, also before a gap
    shares = [[dict(row.top).get(label, 0.0) for row in rows for _ in range(2)] for label in shown]
    if shown:
        axes.stackplot(ends, shares, labels=shown, linewidth=0)
    axes.set_ylim(0.0, 1.0)
    axes.set_yticks([])
    axes.set_title("Genre", loc="left", fontsize=10)
    if shown:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), fontsize=8, frameon=False)


def _keys(axes: Axes, rows: Sequence[Second]) -> None:
    codes = [(row.time_s, code) for row in rows if (code := camelot_of(row.key))]
    for letter, colour, mode in (("A", "#2f5d8a", "minor"), ("B", "#c2571a", "major")):
        some = [(time_s, int(code[:-1])) for time_s, code in codes if code.endswith(letter)]
        axes.plot(
            [time_s for time_s, _ in some], [place for _, place in some], "s", color=colour, markersize=3, label=mode
        )
    axes.set_ylim(0.0, 13.0)
    axes.set_yticks(range(1, 13), [str(place) for place in range(1, 13)], fontsize=7)
    axes.set_title("Key, by its number on the Camelot wheel", loc="left", fontsize=10)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), fontsize=8, frameon=False)


def _loudness(axes: Axes, rows: Sequence[Second]) -> None:
    some = [(row.time_s, row.lufs) for row in rows if row.lufs is not None]
    axes.plot([time_s for time_s, _ in some], [lufs for _, lufs in some], color="#5d574c", linewidth=0.8)
    axes.set_ylim(-40.0, 0.0)
    axes.set_ylabel("LUFS")
    axes.set_title("Loudness", loc="left", fontsize=10)


def _times(panels: Sequence[Axes], night: Night) -> None:
    """Mark where parts begin, where somebody set a mark and where something is missing; and the time of the set."""
    for axes in panels:
        for part in night.parts:
            axes.axvline(part.start_s, color="#d8d2c4", linewidth=0.6, zorder=0)
        for gap in night.gaps:
            axes.axvspan(gap.second, gap.second + gap.span_s, color="#eeeae0", zorder=0)
        for mark in night.marks:
            axes.axvline(mark.second, color="#b23c08", linewidth=0.9)
        axes.spines[["top", "right"]].set_visible(False)
    last = panels[-1]
    last.set_xlim(0, max(60, night.about.duration_s))
    steps = (10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400)
    every = next((step for step in steps if night.about.duration_s / step <= 12), steps[-1])  # noqa: PLR2004 - labels
    ticks = range(0, night.about.duration_s + 1, every)
    last.set_xticks(list(ticks), [clock(tick) for tick in ticks])


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def title_of(night: Night) -> str:
    """Return the usual name of the file."""
    return f"set-{night.about.id}-{moment(night, 0)[:10]}.html"
