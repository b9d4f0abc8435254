"""The phases of a rule against Prometheus' own: the same values slot by slot, and promtool is the judge.

Law: every difference has a row in `ROWS`, each a deliberate one of the rule language; with these rows read as
Prometheus reads them, nothing may differ, neither a phase nor the instant since when it lasts.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from tests.core.making import rule
from tests.core.test_evaluate import INTERVAL, play
from watchdog.core.model import Phase, RuleState

SERIES, SLOTS = 400, 40
# As promtool writes what `LETTERS` mean. A slot that cannot be asked is missing here: promtool ends at the first one.
VALUES = {"b": "0.3", "o": "0.01", "n": "stale", "q": "NaN", "i": "Inf", "m": "-Inf"}
HOLDS = ("0s", "1s", "15s", "20s", "30s", "45s", "1m", "2m")
SEVERAL = ("datapoints_to_alarm", "evaluation_periods")


@dataclass(frozen=True, slots=True)
class Case:
    """A rule, and what its source says in each slot."""

    number: int
    slots: str
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def alert(self) -> str:
        return f"Series{self.number}"

    def played(self) -> list[RuleState]:
        return play(rule(**self.fields), self.slots)

    def phases(self) -> list[Phase]:
        return [state.phase for state in self.played()]


def reading(old: str, new: str) -> Callable[[Case], Case]:
    return lambda case: replace(case, slots=case.slots.replace(old, new))


def without_several(case: Case) -> Case:
    return replace(case, fields={key: value for key, value in case.fields.items() if key not in SEVERAL})


ROWS: dict[str, Callable[[Case], Case]] = {
    "an empty answer is no data, and not health": reading("n", "o"),
    "NaN is no data, and not health": reading("q", "o"),
    "+Inf is insufficient, and not above the threshold": reading("i", "b"),
    "-Inf is insufficient, and not health": reading("m", "o"),
    "datapoints_to_alarm asks for several breaches": without_several,
}


def read(case: Case, rows: Iterable[str]) -> Case:
    """The case with these rows read as Prometheus reads them."""
    for row in rows:
        case = ROWS[row](case)
    return case


def why(case: Case) -> tuple[str, ...]:
    """The fewest rows without which the case's phases are Prometheus'."""
    phases = read(case, ROWS).phases()
    subsets = chain.from_iterable(combinations(ROWS, count) for count in range(len(ROWS) + 1))
    return next(rows for rows in subsets if read(case, rows).phases() == phases)


def drawn(number: int) -> Case:
    """A series in which runs of breaches and of health alternate; two of three have slots without evidence."""
    draw = random.Random(number)
    fields: dict[str, Any] = {"for": draw.choice(HOLDS), "keep_firing_for": draw.choice(HOLDS)}
    fields["no_data"] = draw.choice(("hold", "hold", "ok"))
    if draw.random() < 1 / 3:
        fields |= dict(zip(SEVERAL, sorted(draw.choices(range(1, 6), k=2)), strict=True))
    letters = "bo" + draw.choice(("", "n", "nqim"))
    weights = [draw.choice((1, 3, 6)), draw.choice((1, 3)), 1, 1, 1, 1][: len(letters)]
    runs = (kind * draw.choice((1, 1, 2, 4, 9)) for kind in draw.choices(letters, weights, k=SLOTS))
    return Case(number, "".join(runs)[:SLOTS], fields)


def rules_of(cases: Iterable[Case]) -> dict[str, Any]:
    """The alerting rules of Prometheus that say the same."""
    rules = [
        {
            "alert": case.alert,
            "expr": f'value{{series="{case.number}"}} > 0.05',
            "for": case.fields["for"],
            "keep_firing_for": case.fields["keep_firing_for"],
        }
        for case in cases
    ]
    return {"groups": [{"name": "all", "rules": rules}]}


def expected(case: Case, state: RuleState) -> list[dict[str, Any]]:
    """What Prometheus has to show of a case in one slot."""
    if state.phase is Phase.INACTIVE:
        return []
    labels = f'alertname="{case.alert}",series="{case.number}"'
    return [
        {"labels": f'ALERTS{{{labels},alertstate="{state.phase.value}"}}', "value": 1},
        {"labels": f"ALERTS_FOR_STATE{{{labels}}}", "value": state.active_at},
    ]


def for_promtool(cases: Iterable[Case]) -> dict[str, Any]:
    """A test for promtool: the series of every case, and what there has to be in each slot, as we have it."""
    series = [
        {"series": f'value{{series="{case.number}"}}', "values": " ".join(VALUES[letter] for letter in case.slots)}
        for case in cases
    ]
    ours = [(case, read(case, ROWS).played()) for case in cases]
    slots = [
        {
            "expr": '{__name__=~"ALERTS.*"}',
            "eval_time": f"{slot * INTERVAL:.0f}s",
            "exp_samples": [each for case, states in ours for each in expected(case, states[slot])],
        }
        for slot in range(SLOTS)
    ]
    every = f"{INTERVAL:.0f}s"
    tests = [{"interval": every, "input_series": series, "promql_expr_test": slots}]
    return {"rule_files": ["rules.json"], "evaluation_interval": every, "tests": tests}


def test_phases_are_those_of_prometheus_but_for_the_rows_that_say_otherwise(promtool: Path, tmp_path: Path) -> None:
    cases = [drawn(number) for number in range(SERIES)]
    (tmp_path / "rules.json").write_text(json.dumps(rules_of(cases)))
    (tmp_path / "tests.json").write_text(json.dumps(for_promtool(cases)))
    command = [str(promtool), "test", "rules", "--diff", str(tmp_path / "tests.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, (done.stdout + done.stderr)[:5000]


def test_each_row_makes_a_difference_by_itself() -> None:
    reasons = Counter(why(drawn(number)) for number in range(SERIES))
    assert reasons.keys() >= {(row,) for row in ROWS}
    assert reasons[()] > SERIES / 4  # nothing differs at all
