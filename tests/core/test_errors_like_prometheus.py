"""A rule whose source fails in some slots, against a real Prometheus whose expression fails in the same ones.

Law: only slots that Prometheus says it evaluated are compared; one that it missed on a busy machine is one in which
nobody looked. promtool cannot play this: it ends at the first expression that fails.
"""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import dataclass
from typing import Any

import yaml

from tests.core.making import rule
from tests.core.test_evaluate import LETTERS
from tests.stack.prometheus import CONFIG, STALE, PrometheusServer, Series
from tests.stack.wait import wait_until
from watchdog.core.evaluate import evaluate, fresh_state

SERIES, SLOTS, STEP = 60, 20, 200  # the unit is a millisecond here, which our rules have a second for
LEAD = 2500  # how long before their first instant the series are written
HOLDS = (0, 1, STEP, 2 * STEP, 500, 4 * STEP)
VALUES = {"b": 0.3, "o": 0.01, "e": 0.3}
ALWAYS = {"alert": "Always", "expr": "vector(1)"}
Phases = dict[int, str]
"""By the instant of the slot."""


@dataclass(frozen=True, slots=True)
class Case:
    """A rule, and what its source says in each slot."""

    number: int
    slots: str
    hold: int
    keep: int

    def alerting(self) -> dict[str, Any]:
        """Prometheus' rule: an expression that fails while there are two units to choose from."""
        one = f'series="{self.number}"'
        expr = f"value{{{one}}} * on(series) unit{{{one}}} > 0.05"
        return {"alert": f"S{self.number}", "expr": expr, "for": f"{self.hold}ms", "keep_firing_for": f"{self.keep}ms"}

    def series(self, base: int) -> list[Series]:
        """What the expression is made of, from ``base`` on."""
        at = [(base + STEP * slot) / 1000 for slot in range(SLOTS + 1)]
        name = {"series": str(self.number)}
        values = [VALUES[letter] for letter in self.slots] + [STALE]
        second = [1.0 if letter == "e" else STALE for letter in self.slots] + [STALE]
        return [
            Series("value", name, list(zip(at, values, strict=True))),
            Series("unit", name, [(instant, 1.0) for instant in at]),
            Series("unit", name | {"second": "yes"}, list(zip(at, second, strict=True))),
        ]

    def phases(self, slots: dict[int, str], *, as_prometheus: bool) -> Phases:
        """By our machine. To Prometheus a slot that fails is none, and the clock goes on in between."""
        fields = {"for": f"{self.hold}s", "keep_firing_for": f"{self.keep}s", "no_data_timeout": "1d"}
        given, found = rule(**fields), {}
        state = fresh_state(given, "green:1")
        for slot, letter in slots.items():
            if as_prometheus and letter == "e":
                continue
            most = math.inf if as_prometheus else float(STEP)
            state = evaluate(given, state, LETTERS[letter], slot=float(slot), interval=most)
            found[slot] = state.phase.value
        return found


def drawn(number: int) -> Case:
    draw = random.Random(number)
    runs = (kind * draw.choice((1, 2, 3)) for kind in draw.choices("boe", (4, 2, 2), k=SLOTS))
    return Case(number, "".join(runs)[:SLOTS], draw.choice(HOLDS), draw.choice(HOLDS))


# What was seen at first: the two breaches at both ends are enough for Prometheus.
FIRST = Case(SERIES, "beeeb".ljust(SLOTS, "o"), hold=4 * STEP, keep=0)


def samples(prometheus: PrometheusServer, name: str) -> list[tuple[dict[str, str], int]]:
    """The labels and the instant of each sample of the last minute."""
    found = prometheus.query(f"{name}[1m]")
    return [(each["metric"], round(float(at) * 1000)) for each in found for at, _ in each["values"]]


def evaluated(prometheus: PrometheusServer) -> list[int]:
    """The slots that Prometheus evaluated, without its first ones, in which it shows no alert yet."""
    return sorted(at for _, at in samples(prometheus, f'ALERTS{{alertname="{ALWAYS["alert"]}"}}'))


def observed(prometheus: PrometheusServer, cases: list[Case]) -> tuple[int, list[int], dict[str, Phases]]:
    """When the series began, the slots that Prometheus evaluated since, and its phases by alert."""
    rules = [ALWAYS, *(case.alerting() for case in cases)]
    group = {"name": "all", "interval": f"{STEP}ms", "rules": rules}
    folder = prometheus.child.folder
    (folder / "rules.json").write_text(json.dumps({"groups": [group]}))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(CONFIG | {"rule_files": ["rules.json"]}))
    prometheus.kill()
    prometheus.start()
    wait_until(lambda: evaluated(prometheus), "Prometheus evaluates the rules")
    base = round(time.time() * 1000) + LEAD
    prometheus.remote_write(*(series for case in cases for series in case.series(base)))
    assert time.time() * 1000 < base, "the machine stood still: the series came too late"
    end = base + SLOTS * STEP
    wait_until(lambda: evaluated(prometheus)[-1] > end, "Prometheus is through the series", within=60)
    slots = [at for at in evaluated(prometheus) if base <= at < end]
    phases: dict[str, Phases] = {each["alert"]: {} for each in rules}
    for labels, at in samples(prometheus, "ALERTS"):
        phases[labels["alertname"]][at] = labels["alertstate"]
    return base, slots, phases


def test_an_error_stops_the_clock_of_for_and_is_all_that_differs_from_prometheus(
    own_prometheus: PrometheusServer,
) -> None:
    cases = [*map(drawn, range(SERIES)), FIRST]
    base, slots, seen = observed(own_prometheus, cases)
    sooner = 0
    for case in cases:
        letters = {slot: case.slots[(slot - base) // STEP] for slot in slots}
        theirs = {slot: seen[case.alerting()["alert"]].get(slot, "inactive") for slot in slots if letters[slot] != "e"}
        assert case.phases(letters, as_prometheus=True) == theirs, (case, letters)
        ours = case.phases(letters, as_prometheus=False)
        # A breach finds Prometheus firing already, and a healthy slot after it finds it kept so.
        allowed = {"b": ("pending", "firing"), "o": ("inactive", "firing")}
        differing = [slot for slot in theirs if ours[slot] != theirs[slot]]
        assert all((ours[slot], theirs[slot]) == allowed[letters[slot]] for slot in differing), (case, letters)
        sooner += len(differing)
    assert sooner, "no series tells an error that stops the clock from one that does not"
