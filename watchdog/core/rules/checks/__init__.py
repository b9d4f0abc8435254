"""What does not fit together in a rule, for each kind of it.

Law: a kind's model in `kinds` says what is well formed by itself; what that means beside the rest of the rule is said
here. A new kind does not type-check before it has its check.
"""

from collections.abc import Iterator
from itertools import chain
from typing import assert_never

from watchdog.core.rules.checks.burn_rate import check_burn_rate
from watchdog.core.rules.checks.compare import check_comparison
from watchdog.core.rules.checks.elasticsearch import check_elasticsearch
from watchdog.core.rules.checks.kubernetes import check_kubernetes
from watchdog.core.rules.checks.probe import check_probe
from watchdog.core.rules.checks.prometheus import check_counter, check_prometheus
from watchdog.core.rules.kinds import (
    BurnRate,
    Comparison,
    ElasticsearchQuery,
    HttpProbe,
    Kind,
    KubernetesCheck,
    PrometheusQuery,
)
from watchdog.core.rules.language import Rule
from watchdog.core.rules.problem import Finding


def check_kind(rule: Rule, kind: Kind) -> Iterator[Finding]:
    """What does not fit together in a rule of that kind; the paths begin at the rule."""
    match kind:
        case PrometheusQuery():
            yield from check_prometheus(rule, kind)
        case ElasticsearchQuery():
            yield from check_elasticsearch(rule, kind)
        case KubernetesCheck():
            yield from chain(_without_samples(rule), check_kubernetes(rule, kind))
        case BurnRate():
            yield from chain(check_counter(rule), check_burn_rate(rule, kind))
        case HttpProbe():
            yield from chain(_without_samples(rule), check_probe(rule, kind))
        case Comparison():
            yield from chain(_without_samples(rule), check_comparison(rule, kind))
        case _:
            assert_never(kind)


def _without_samples(rule: Rule) -> Iterator[Finding]:
    if rule.min_samples is not None:
        message = f"a rule on {next(iter(rule.kinds))} has no number of samples; remove min_samples"
        yield Finding(path=("min_samples",), code="R213", message=message, at_key=True)
