"""A backtest as one page of HTML: plots drawn by us as SVG, and nothing that is fetched from anywhere.

Law: whatever comes from rules, sources and files is text in it, escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby

from watchdog.core.model import Outcome
from watchdog.core.visible import visible
from watchdog.replay.findings import Finding, limits_of
from watchdog.replay.report import Report, as_text, when
from watchdog.replay.track import Point

WIDTH, HEIGHT, LEFT, BOTTOM = 1100, 220, 70, 24
_MOST_LIMITS = 5  # how many times the limit the upper edge may be: what is above touches the edge
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1180px;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2rem 0 .3rem}pre{white-space:pre-wrap;background:#f5f6f8;padding:1rem}
svg{width:100%;height:auto;background:#fff}text{font:11px system-ui,sans-serif;fill:#57606a}
.value{fill:none;stroke:#0b62c4;stroke-width:1.2}.limit{stroke:#b42318;stroke-dasharray:5 3}
.fired{fill:#d92d20;opacity:.28}.trip{stroke:#b42318;stroke-width:1.5}.blind{fill:#98a2b3;opacity:.45}
.insufficient{fill:#f3c969;opacity:.4}.switch{stroke:#12805c;stroke-dasharray:2 3}.axis{stroke:#d0d7de}
.key span{display:inline-block;margin-right:1.2em}.key i{display:inline-block;width:1.2em;height:.8em;margin-right:.4em}
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e9ec}pre{background:#1d2125}svg{background:#14171a}
text{fill:#9aa4ae}.value{stroke:#6db1ff}.axis{stroke:#3a4149}}
"""
_KEY = (
    ("#0b62c4", "value"),
    ("#b42318", "threshold"),
    ("#d92d20", "fires"),
    ("#98a2b3", "no data or error"),
    ("#f3c969", "too few samples"),
    ("#12805c", "switch or new revision"),
)


def as_page(report: Report) -> str:
    """The page."""
    name = _text(report.target.target)
    title = f"Backtest of {name}, {when(report.start)} to {when(report.end)}"
    key = "".join(f'<span><i style="background:{color}"></i>{word}</span>' for color, word in _KEY)
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>",
        f'<p class="key">{key}</p>',
    ]
    for finding in report.findings:
        parts.append(f"<h2>{_text(finding.rule.alert)}</h2>")
        parts.append(plot(finding, report))
    text = "\n".join(_text(line) for line in as_text(report))
    return "".join([*parts, f"<h2>In words</h2><pre>{text}</pre></body></html>\n"])


def plot(finding: Finding, report: Report) -> str:
    """The rule's values over time as an SVG element."""
    columns = _columns(finding, report)
    highest, top = max((column.high for column in columns), default=0.0), _top(finding, columns)
    frame = _Frame(report.start, max(report.end, report.start + 1), top, is_cut=highest > top)
    label = f"values of {_text(finding.rule.alert)} over time"
    drawn = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">',
        *_shades(finding, report, frame),
        *_axes(frame),
        *_lines(columns, frame),
        *_limits(finding, frame),
        *_marks(finding, report, frame),
        "</svg>",
    ]
    return "".join(drawn)


@dataclass(frozen=True, slots=True)
class _Frame:
    """From instants and values to places in the picture. ``is_cut``: values above ``top`` touch the edge."""

    start: float
    end: float
    top: float
    is_cut: bool

    def x(self, instant: float) -> float:
        return round(LEFT + (instant - self.start) / (self.end - self.start) * (WIDTH - LEFT - 4), 1)

    def y(self, value: float) -> float:
        share = min(max(value / self.top, 0.0), 1.0)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 8), 1)


@dataclass(slots=True)
class _Column:
    """What falls into one column of the picture."""

    number: int
    low: float = math.inf
    high: float = -math.inf


def _columns(finding: Finding, report: Report) -> list[_Column]:
    """The lowest and highest value of each column: no peak is lost, however long the time is."""
    span = max(report.end - report.start, 1.0)
    found: dict[int, _Column] = {}
    for point in finding.track:
        if point.value is not None:
            number = int((point.slot - report.start) / span * (WIDTH - LEFT - 4))
            column = found.setdefault(number, _Column(number))
            column.low, column.high = min(column.low, point.value), max(column.high, point.value)
    return [found[number] for number in sorted(found)]


def _top(finding: Finding, columns: list[_Column]) -> float:
    """The value at the upper edge: the highest of all, but no more than leaves the limits to be seen."""
    limits = [limit for limit in limits_of(finding.rule) if limit > 0]
    highest = max([column.high for column in columns] + [limit * 1.3 for limit in limits], default=1.0)
    if limits:
        highest = min(highest, max(limits) * _MOST_LIMITS)
    return highest if highest > 0 else 1.0


def _lines(columns: list[_Column], frame: _Frame) -> Iterator[str]:
    """The values, interrupted where there are none."""
    for _, run in groupby(enumerate(columns), key=lambda each: each[1].number - each[0]):
        path = " ".join(
            f"{LEFT + column.number},{frame.y(column.low)} {LEFT + column.number},{frame.y(column.high)}"
            for _, column in run
        )
        yield f'<polyline class="value" points="{path}"/>'


def _shades(finding: Finding, report: Report, frame: _Frame) -> Iterator[str]:
    interval = report.target.interval

    def kind(point: Point) -> str:
        if point.outcome.is_blind:
            return "blind"
        return "insufficient" if point.outcome is Outcome.INSUFFICIENT else ""

    for name, points in groupby(finding.track, key=kind):
        if name:
            slots = [point.slot for point in points]
            yield _band(name, frame.x(slots[0]), frame.x(slots[-1] + interval))


def _band(name: str, left: float, right: float) -> str:
    width = max(round(right - left, 1), 1.0)
    return f'<rect class="{name}" x="{left}" y="8" width="{width}" height="{HEIGHT - BOTTOM - 8}"/>'


def _limits(finding: Finding, frame: _Frame) -> Iterator[str]:
    for limit in limits_of(finding.rule):
        y = frame.y(limit)
        yield f'<line class="limit" x1="{LEFT}" x2="{WIDTH - 4}" y1="{y}" y2="{y}"/>'


def _marks(finding: Finding, report: Report, frame: _Frame) -> Iterator[str]:
    for each in report.schedule.switches:
        if report.start < each.at <= report.end:
            yield _upright("switch", frame.x(each.at), f"{when(each.at)}: {each.color} got the traffic")
    for deploy in report.deploys or ():
        yield _upright("switch", frame.x(deploy.at), f"{when(deploy.at)}: {deploy.color} got a new revision")
    for firing in finding.firings:
        yield _band("fired", frame.x(firing.at), frame.x(firing.until))
        value = "no value" if firing.value is None else f"{firing.value:g}"
        yield _upright("trip", frame.x(firing.at), f"{when(firing.at)}: {value} on {firing.color}, {firing.did}")


def _upright(name: str, x: float, title: str) -> str:
    line = f'<line class="{name}" x1="{x}" x2="{x}" y1="8" y2="{HEIGHT - BOTTOM}">'
    return f"{line}<title>{_text(title)}</title></line>"


def _axes(frame: _Frame) -> Iterator[str]:
    for share in (0.0, 0.5, 1.0):
        y = frame.y(frame.top * share)
        yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 4}" y1="{y}" y2="{y}"/>'
        more = "≥ " if frame.is_cut and share == 1.0 else ""
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{more}{frame.top * share:.3g}</text>'
    for number, anchor in enumerate(("start", "middle", "middle", "middle", "end")):
        at = frame.start + (frame.end - frame.start) * number / 4
        shown = when(at)[5:16].replace("T", " ")
        yield f'<text x="{frame.x(at)}" y="{HEIGHT - 6}" text-anchor="{anchor}">{shown}</text>'


def _text(given: str) -> str:
    return escape(visible(given))
