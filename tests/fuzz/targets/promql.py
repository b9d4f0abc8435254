"""PromQL expressions: whether they are any, and what is told of those that are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from tests.fuzz.target import Target
from watchdog.core.rules.lint import colorless_promql, has_division, lint_promql, tree_of
from watchdog.core.rules.promql_color import differs_by_color, divides_by_both
from watchdog.core.rules.promql_shape import exact_labels, may_be_several, raw_counters, selectors, written_matchers
from watchdog.core.rules.promql_value import absences, fallbacks, filters
from watchdog.core.rules.reads import reads_of


def _parse(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    found = [*lint_promql(text), *colorless_promql(text, ("expr",))]
    assert all(each.offset is None or 0 <= each.offset <= len(text) for each in found)
    has_division(text)
    reads_of.__wrapped__(text)  # without its memory, which would grow
    if (tree := tree_of(text)) is not None:
        may_be_several(tree)
        list(raw_counters(tree))
        list(chain(filters(tree), absences(tree), fallbacks(tree)))
        differs_by_color(tree)
        divides_by_both(tree)
        for selector in selectors(tree):
            exact_labels(selector)
            written_matchers(selector)


def _seeds() -> Iterator[bytes]:
    yield b'sum(rate(errors_total{color="{{ color }}",code=~"5.."}[2m])) / sum(rate(requests_total[2m]))'
    yield b"histogram_quantile(0.99, sum by (le) (rate(latency_bucket[5m] offset 1w))) > bool 0.5"
    yield b"max_over_time((up{a!=`b`} and on (job) absent(x @ end()))[10m:30s]) unless -vector(1)"
    yield b"topk(1, a) or label_replace(b, 'to', '$1', 'from', '(.*)') # why"
    yield b'max(a{color="{{ color }}"} / ignoring (color) group_left sum without (color) (b > 0)) or vector(0)'
    yield b"sum(a * on(x) group_left(y) b) ^ 2 % 0x1F + 1e3 - Inf"


TARGET = Target(
    parse=_parse,
    seeds=_seeds,
    words=(
        *("sum(", "rate(", "by (", "without (", " offset ", " @ ", "start()", "[5m]", "[5m:1m]", "=~", "!~", "bool"),
        *("{{ color }}", "{{ window }}", "group_left", "ignoring(", " unless ", " atan2 ", "\\x", "0x", "1e999", "`"),
    ),
)
