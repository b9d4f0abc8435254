"""The kinds of rule: one module for what each may ask.

Law: the union is sealed. A kind is added by its model here, its field in `Rule`, its check in `checks`, and its source;
everything after the measurement (outcome, phase, decision) is the same for all.
"""

from watchdog.core.rules.kinds.burn_rate import BurnRate, Pair
from watchdog.core.rules.kinds.compare import Comparison
from watchdog.core.rules.kinds.elasticsearch import ElasticsearchQuery
from watchdog.core.rules.kinds.kubernetes import KubernetesCheck
from watchdog.core.rules.kinds.probe import HttpProbe
from watchdog.core.rules.kinds.prometheus import PrometheusQuery

Kind = PrometheusQuery | ElasticsearchQuery | KubernetesCheck | BurnRate | HttpProbe | Comparison

__all__ = [
    "BurnRate",
    "Comparison",
    "ElasticsearchQuery",
    "HttpProbe",
    "Kind",
    "KubernetesCheck",
    "Pair",
    "PrometheusQuery",
]
