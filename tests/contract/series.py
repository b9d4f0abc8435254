"""Awkward series, and queries over them.

Law: instants are seconds before (negative) or after the instant at which the queries are asked; a sample without
a value is the marker of a series that is gone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.stack.prometheus import STALE, Series

Samples = Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Stated:
    """One series."""

    name: str
    labels: Mapping[str, str]
    samples: Samples


def written_at(series: Stated, now: int) -> Series:
    """The series as it is written to a real server."""
    samples = [(now + at, STALE if value is None else value) for at, value in series.samples]
    return Series(series.name, series.labels, samples)


def _steps(count: int, *, every: float, by: float, start: float = -300, first: float = 0) -> Samples:
    return [(start + number * every, first + number * by) for number in range(count)]


def _buckets(name: str, counts: Mapping[str, float]) -> list[Stated]:
    return [Stated("ct_lat_bucket", {"le": le, "c": name}, _steps(30, every=10, by=by)) for le, by in counts.items()]


SERIES = [
    # what the banking application has
    Stated("ct_requests_total", {"color": "green", "code": "200", "app": "f"}, _steps(300, every=1, by=7)),
    Stated("ct_requests_total", {"color": "green", "code": "500", "app": "f"}, _steps(300, every=1, by=0.3)),
    Stated("ct_requests_total", {"color": "blue", "code": "200", "app": "f"}, _steps(60, every=5, by=13, start=-298)),
    Stated(
        "ct_requests_total",
        {"color": "blue", "code": "500", "app": "b"},
        [(-300, 5), (-270, 9), (-240, 2), (-210, 4), (-180, 4), (-150, 1), (-149, 100), (-90, 103), (-10, 3)],
    ),
    # counters with too little to go by, with gaps, resets, and samples on the edges of a range
    Stated("ct_one_total", {}, [(-100, 5)]),
    Stated("ct_two_total", {}, [(-100, 5), (-90, 9)]),
    Stated("ct_late_total", {"x": "near zero"}, _steps(20, every=10, by=3, start=-200, first=1)),
    Stated("ct_late_total", {"x": "far from zero"}, _steps(20, every=10, by=3, start=-200, first=1000)),
    Stated(
        "ct_gap_total",
        {},
        [*_steps(10, every=10, by=3), *_steps(10, every=10, by=3, start=-100, first=60)],
    ),
    Stated("ct_edge_total", {"x": "on it"}, [(-120, 1), (-60, 2), (0, 4)]),
    Stated("ct_edge_total", {"x": "inside"}, [(-119.999, 1), (-60.001, 2.5), (0, 4)]),
    Stated("ct_back_total", {}, [(-150, 1), (-100, 10), (-90, None), (-50, 3), (-40, 5)]),
    Stated("ct_below_zero_total", {}, [(-100, -5), (-90, 3), (-80, 9)]),
    Stated("ct_flat_total", {}, _steps(30, every=10, by=0, first=7)),
    Stated("ct_zero_total", {}, _steps(30, every=10, by=0)),
    # gauges
    Stated("ct_gauge", {"x": "1"}, [(-300, math.nan), (-200, math.inf), (-100, -3.5), (-50, 1e-9)]),
    Stated("ct_gauge", {"x": "2"}, [(-60, 1e300), (-55, 2.5)]),
    Stated("ct_gauge", {"x": "3"}, [(-60, -0.1), (-55, 0.1)]),
    Stated("ct_gauge", {"y": "1"}, [(-55, 123456789012345680000.0)]),
    # staleness and look-back
    Stated("ct_old", {}, [(-320, 1)]),
    Stated("ct_edge_old", {}, [(-300, 1)]),
    Stated("ct_gone", {"a": "b"}, [(-100, 1), (-50, None)]),
    # what binary operators match
    Stated("ct_a", {"l": "1", "m": "x"}, [(-10, 1)]),
    Stated("ct_a", {"l": "2", "m": "x"}, [(-10, 2)]),
    Stated("ct_b", {"l": "1", "m": "x"}, [(-10, 10)]),
    Stated("ct_b", {"l": "3", "m": "y"}, [(-10, 30)]),
    Stated("ct_c", {"m": "x", "z": "q"}, [(-10, 5)]),
    Stated("ct_c", {"m": "y", "z": "r"}, [(-10, 0)]),
    *_buckets("usual", {"0.1": 10, "0.5": 30, "1": 34.5, "+Inf": 40}),
    *_buckets("all slow", {"0.1": 0, "0.5": 0, "1": 0, "+Inf": 5}),
    *_buckets("no top", {"0.1": 1, "1": 5}),
    *_buckets("below zero", {"-1": 2, "0": 4, "+Inf": 8}),
]

_QUERIES = """
ct_requests_total
ct_requests_total{code=~"5.."}
{__name__=~"ct_req.*",color!="green"}
ct_requests_total{color!~"gre.*"}
ct_requests_total{nope=""}
ct_requests_total{app=~".+"}
ct_old
ct_edge_old
ct_gone
ct_gauge
ct_gauge offset 1m
ct_gauge offset -10s
ct_gauge @ end()
ct_gauge{x="2"}[1m]
ct_gone[2m]

rate(ct_requests_total[2m])
increase(ct_requests_total[2m])
rate(ct_requests_total[1m] offset 30s)
rate(ct_requests_total[10s])
rate(ct_requests_total[4m])
increase(ct_requests_total[10m])
increase(ct_requests_total{color="green"}[119s])
rate(ct_one_total[2m])
rate(ct_two_total[2m])
increase(ct_two_total[2m])
increase(ct_late_total[5m])
increase(ct_late_total[250s])
rate(ct_gap_total[5m])
increase(ct_gap_total[130s])
rate(ct_edge_total[2m])
increase(ct_edge_total[2m])
increase(ct_edge_total[1m])
increase(ct_edge_total[120001ms])
rate(ct_back_total[3m])
increase(ct_below_zero_total[3m])
rate(ct_flat_total[1m])
rate(ct_zero_total[1m])
rate(ct_gauge[5m])
increase(ct_gauge{x="2"}[5m])
rate(ct_gone[5m])

sum(rate(ct_requests_total[2m]))
sum by (color) (rate(ct_requests_total[2m]))
sum without (code, app) (rate(ct_requests_total[2m]))
avg(rate(ct_requests_total[2m])) by (color)
min(ct_requests_total)
max by (color, nope) (ct_requests_total)
count(ct_requests_total)
count without () (ct_requests_total)
sum(ct_gauge)
avg(ct_gauge)
min(ct_gauge)
max(ct_gauge)
sum(nope)
count(nope)
sum(rate(ct_requests_total{code=~"5.."}[2m])) / sum(rate(ct_requests_total[2m]))
sum by (color) (rate(ct_requests_total{code=~"5.."}[2m])) / sum by (color) (rate(ct_requests_total[2m]))
sum(nope) / sum(rate(ct_requests_total[2m]))
sum(nope) or vector(0)

vector(0) / vector(0)
vector(1) / vector(0)
vector(-1) / 0
1 / 0
0 / 0
-1 / 0
1 + 2 * 3
2 ^ 10
2 ^ -1
-2 ^ 2
7 % 3
-7 % 3
7.5 % 0
1 == bool 1
2 > bool 3
vector(3) > 2
vector(3) > bool 2
3 > vector(2)
2 < bool vector(1)
NaN
Inf
"str"
0x1F
1e3
time()
vector(time())

ct_a + ct_b
ct_a + on(l) ct_b
ct_a + ignoring(l) ct_b
ct_a + on(m) ct_b
ct_a + on(nope) ct_b
ct_a / on(m) group_left ct_c
ct_a * on(m) group_left(z) ct_c
ct_c * on(m) group_right(z) ct_a
ct_a and ct_b
ct_a or ct_b
ct_a unless ct_b
ct_a and on(m) ct_c
ct_a or on(m) ct_c
ct_a unless on(l) ct_b
ct_a > ct_b
ct_a < ct_b
ct_a < bool ct_b
ct_b > on(l) ct_a
ct_a == ct_a
ct_a != ct_a
-ct_a
-(ct_a + 1)
+ct_a
ct_a * 2
2 - ct_a
ct_a > 1
ct_a > bool 1
(ct_a)
ct_a % 2
ct_a ^ 2
ct_a / ct_c
-ct_gauge
ct_gauge > 0
ct_gauge >= bool 0
ct_gauge != 0
-{__name__=~"ct_a|ct_b"}
{__name__=~"ct_a|ct_b"} * 2
{__name__=~"ct_a|ct_b"} > 0
sum({__name__=~"ct_a|ct_b"})
timestamp(ct_a)
timestamp(ct_gauge)
timestamp(-ct_a)
timestamp(vector(1))
timestamp((ct_a))
timestamp(ct_a offset 1m)
timestamp(ct_edge_old)
scalar(ct_b{l="1"})
scalar(ct_a)
scalar(nope)

histogram_quantile(0.9, rate(ct_lat_bucket[2m]))
histogram_quantile(0.5, sum by (le) (rate(ct_lat_bucket{c="usual"}[2m])))
histogram_quantile(0, ct_lat_bucket)
histogram_quantile(1, ct_lat_bucket)
histogram_quantile(0.25, ct_lat_bucket)
histogram_quantile(0.4, ct_lat_bucket{c="below zero"})
sum(rate(ct_gauge{x="3"}[1m])) / rate(ct_gauge{x="2"}[2m])
rate({__name__=~"ct_requests.*",color="green"}[1m])
rate({__name__=~"ct_.+_total"}[1m])
"""
QUERIES = [query for query in _QUERIES.splitlines() if query]

REFUSED = [
    "sum(",
    "foo(ct_a)",
    'ct_a{b="',
    "rate(ct_a)",
    "ct_a[5m] + 1",
    "1 + bool 2",
    "1 == 2",
    "{}",
    '{x=~".*"}',
    'ct_a{x="1" or y="2"}',
    "",
    "sum(ct_a) by (x",
    "vector(ct_a)",
    "rate(ct_a[5m]) or",
    "ct_a ct_b",
    'rate("x")',
]

NOT_SIMULATED = [
    "topk(1, ct_a)",
    "stddev(ct_a)",
    "absent(nope)",
    "ct_a[5m:1m]",
    "irate(ct_two_total[2m])",
    "ct_a atan2 ct_b",
    "histogram_quantile(1.5, ct_lat_bucket)",
    "histogram_quantile(0.9, ct_a)",
]
