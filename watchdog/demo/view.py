"""What a person sees of the demo in the terminal: the traffic, the rules with their phases, and what happened.

Law: it shows what the daemon told and what the simulated clients saw; it computes nothing of its own. What changes is
read in the event loop alone; the terminal is written by a thread, which is given finished drawings only.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from watchdog.core.alert import Alert
from watchdog.core.evaluate import healthy
from watchdog.core.model import Phase, RuleState
from watchdog.core.rules.language import Rule, Target
from watchdog.core.transition import Event, Transition
from watchdog.demo.summary import Summary
from watchdog.demo.traffic import Traffic
from watchdog.watch.announce import Silent

_LINES = 14
_SPARKS = " ▁▂▃▄▅▆▇█"
_HISTORY = 60
_FRAMES_PER_SECOND = 4
_PICTURE_WIDTH = 118
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_PHASE_STYLES = {Phase.INACTIVE: "green", Phase.PENDING: "yellow", Phase.FIRING: "bold red"}
_EVENT_STYLES = {
    Event.SELECTOR: "bold cyan",
    Event.REPLICAS: "cyan",
    Event.VERIFIED: "cyan",
    Event.FINISHED: "bold green",
    Event.BLIND: "yellow",
    Event.CLUSTER: "yellow",
    Event.DECISION: "bold",
}


@dataclass(slots=True)
class _Rule:
    threshold: str
    state: RuleState
    values: deque[float] = field(default_factory=lambda: deque(maxlen=_HISTORY))


class TerminalView(Silent):
    """Draws itself inside ``with``; a console that is no terminal gets plain lines instead."""

    def __init__(self, console: Console) -> None:
        """Draws nothing before `watching`."""
        self._console = console
        self._traffic: Callable[[], Traffic] | None = None
        self._ratios: deque[float] = deque(maxlen=_HISTORY)
        self._rules: dict[str, _Rule] = {}
        self._lines: deque[Text] = deque(maxlen=_LINES)
        self._decision = Text("-")
        self._started = time.monotonic()
        self._drawing: RenderableType = Text("starting …")
        self._live = Live(get_renderable=lambda: self._drawing, console=console, refresh_per_second=_FRAMES_PER_SECOND)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._drawing = self._draw()
        self._live.stop()

    def watching(self, traffic: Callable[[], Traffic]) -> Self:
        """Shows this traffic from now on; it is asked at each drawing."""
        self._traffic = traffic
        return self

    async def keep_drawing(self) -> None:
        """Draws anew a few times a second, until it is cancelled."""
        while True:
            self._drawing = self._draw()
            await asyncio.sleep(1 / _FRAMES_PER_SECOND)

    def save(self, picture: Path, summary: Summary | None) -> None:
        """Writes the last drawing as an SVG file."""
        console = Console(record=True, width=_PICTURE_WIDTH, file=StringIO())
        console.print(self._draw())
        if summary is not None:
            console.print(_panel(summary))
        svg = console.export_svg(title="watchdog demo")
        # Fonts would be fetched from elsewhere by whoever opens the picture.
        picture.write_text(_FONT_FACE.sub("", svg), encoding="utf-8")

    def scene(self, name: str, sentence: str) -> None:
        """The script did something."""
        self._say(time.time(), Text.assemble((f"{name:<10}", "magenta"), (sentence, "magenta")))

    def transition(self, transition: Transition) -> None:
        """Something changed."""
        if transition.event is Event.DECISION:
            self._decision = Text(transition.sentence, "bold red" if transition.after == "rollback" else "")
        self._say(transition.time, _line(transition))

    def alert(self, alert: Alert) -> None:
        """People were told."""
        self._say(alert.at, Text.assemble((f"{'alert':<10}", "blue"), (alert.text, "blue")))

    def measured(self, target: Target, rule: Rule, state: RuleState, *, seconds: float) -> None:  # noqa: ARG002 - the reporter's shape
        """One more value of a rule."""
        shown = self._rules.setdefault(rule.alert, _Rule(healthy(rule, state.limit), state))
        shown.state = state
        if state.value is not None:
            shown.values.append(state.value)

    def summary(self, summary: Summary) -> None:
        """The end."""
        self._console.print(_panel(summary))

    def _say(self, at: float, line: Text) -> None:
        clock = datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
        told = Text.assemble((f"{clock}  ", "dim"), line)
        self._lines.append(told)
        if not self._console.is_terminal:
            self._console.print(told, soft_wrap=True)

    def _draw(self) -> RenderableType:
        if self._traffic is None:
            return Text("starting …")
        return Group(self._head(self._traffic()), self._table(), Panel(Group(*self._lines), title="what happens"))

    def _head(self, traffic: Traffic) -> RenderableType:
        services = Text("   ").join(
            Text.assemble(f"{service} → ", (color, f"bold {color}")) for service, color in traffic.active.items()
        )
        self._ratios.append(traffic.error_ratio)
        ratio_style = "bold red" if traffic.error_ratio > 0.05 else "green"  # noqa: PLR2004 - as in the demo's rules
        errors = Text.assemble(
            (f"{traffic.error_ratio:6.1%} ", ratio_style),
            "of the requests fail  ",
            (_sparkline(self._ratios, highest=0.4), ratio_style),
        )
        elapsed = f"{time.monotonic() - self._started:4.0f} s   {traffic.requests} requests, {traffic.failed} failed"
        return Panel(Group(services, errors, Text(elapsed, "dim")), title="banking-app")

    def _table(self) -> RenderableType:
        table = Table(expand=True)
        for heading in ("rule", "value", "healthy", "phase", "outcome", "history"):
            table.add_column(heading, no_wrap=True)
        for alert, rule in self._rules.items():
            state = rule.state
            table.add_row(
                alert,
                "-" if state.value is None else f"{state.value:.3g}",
                rule.threshold,
                Text(state.phase.value, _PHASE_STYLES[state.phase]),
                state.outcome.value if state.outcome else "-",
                _sparkline(rule.values, highest=0.4),
            )
        return Group(table, Text.assemble(("decision  ", "dim"), self._decision))


def _panel(summary: Summary) -> Panel:
    return Panel(
        Text("\n".join(summary.lines())), title="summary", border_style="green" if summary.recovered else "red"
    )


def _line(transition: Transition) -> Text:
    name = transition.event.value
    before = "" if transition.event is Event.STAGE else f"{transition.before or '-'} → "
    subject = f"{transition.subject}: " if transition.subject else ""
    said = f"  {transition.sentence}" if transition.sentence else ""
    return Text.assemble(
        (f"{name:<10}", _EVENT_STYLES.get(transition.event, "")), f"{subject}{before}{transition.after}", (said, "dim")
    )


def _sparkline(values: deque[float], *, highest: float) -> str:
    last = len(_SPARKS) - 1
    return "".join(_SPARKS[min(last, max(0, round(value / highest * last)))] for value in values)
