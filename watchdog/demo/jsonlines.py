"""The demo for programs: one line of JSON an event.

Law: every line has the same keys: ``time``, ``event``, ``target``, ``rule``, ``value``, ``from``, ``to`` and a
``sentence``.
"""

import json
import time
from typing import TextIO

from watchdog.core.alert import Alert
from watchdog.core.instant import show_instant
from watchdog.core.transition import Event, Transition
from watchdog.demo.summary import Summary
from watchdog.watch.announce import Silent

TARGET = "banking-app"
_OF_RULES = frozenset({Event.PHASE, Event.BLIND})


class JsonLines(Silent):
    """Writes the events to a stream."""

    def __init__(self, stream: TextIO) -> None:
        """Each line is flushed: somebody may be reading along."""
        self._stream = stream

    def scene(self, name: str, sentence: str) -> None:
        """The script did something."""
        self._write(time.time(), name.replace(" ", "_"), sentence=sentence)

    def transition(self, transition: Transition) -> None:
        """Something changed."""
        self._write(
            transition.time,
            transition.event.value,
            target=transition.target,
            rule=transition.subject if transition.event in _OF_RULES else None,
            value=transition.value,
            moved=(transition.before or None, transition.after or None),
            sentence=_sentence(transition),
        )

    def alert(self, alert: Alert) -> None:
        """People were told."""
        moved = (alert.from_color, alert.to_color)
        self._write(alert.at, "alert", target=alert.target, moved=moved, sentence=alert.text)

    def summary(self, summary: Summary) -> None:
        """The end."""
        self._write(time.time(), "summary", sentence="; ".join(summary.lines()))

    def _write(
        self,
        at: float,
        event: str,
        *,
        target: str = TARGET,
        rule: str | None = None,
        value: float | None = None,
        moved: tuple[str | None, str | None] = (None, None),
        sentence: str = "",
    ) -> None:
        line = {
            "time": show_instant(at),
            "event": event,
            "target": target,
            "rule": rule,
            "value": value,
            "from": moved[0],
            "to": moved[1],
            "sentence": sentence,
        }
        print(json.dumps(line), file=self._stream, flush=True)


def _sentence(transition: Transition) -> str:
    if transition.event in _OF_RULES or not transition.subject:
        return transition.sentence
    return f"{transition.subject}: {transition.sentence}" if transition.sentence else transition.subject
