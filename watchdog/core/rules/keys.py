"""The keys of a rule file: which section has which, and an example of each.

Law: whoever wrote an unknown key is told the nearest right one.
"""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel

from watchdog.core.rules.kinds import (
    BurnRate,
    Comparison,
    ElasticsearchQuery,
    HttpProbe,
    KubernetesCheck,
    Pair,
    PrometheusQuery,
)
from watchdog.core.rules.language import GitOps, MinSamples, Rollback, Rule, Service, Target, Threshold
from watchdog.core.rules.problem import Finding, KeyPath, quoted

SECTIONS: dict[str, type[BaseModel]] = {
    "": Target,
    "services": Service,
    "rollback": Rollback,
    "gitops": GitOps,
    "rules": Rule,
    "prometheus": PrometheusQuery,
    "elasticsearch": ElasticsearchQuery,
    "kubernetes": KubernetesCheck,
    "burn_rate": BurnRate,
    "pairs": Pair,
    "http": HttpProbe,
    "compare": Comparison,
    "threshold": Threshold,
    "min_samples": MinSamples,
}

EXAMPLES = {
    "target": "target: banking-app",
    "namespace": "namespace: banking-app",
    "mode": "mode: dry-run",
    "interval": "interval: 15s",
    "colors": "colors: [blue, green]",
    "services": 'services: [{name: backend-service, deployment: "backend-{{ color }}"}]',
    "rollback": "rollback: {cooldown: 30m}",
    "rules": "rules: [{alert: ErrorRatio, …}]",
    "name": "name: backend-service",
    "deployment": 'deployment: "backend-{{ color }}"',
    "selector": 'selector: {color: "{{ color }}"}',
    "scale_down_delay": "scale_down_delay: 30s",
    "restore_good": "restore_good: true",
    "min_ready": "min_ready: 80%",
    "ready_timeout": "ready_timeout: 2m",
    "cooldown": "cooldown: 30m",
    "rollback_window": "rollback_window: 1h",
    "gitops": "gitops: {flux: pause}",
    "flux": "flux: pause",
    "alert": "alert: FrontendErrorRatio",
    "prometheus": "prometheus: {expr: …}",
    "elasticsearch": 'elasticsearch: {index: "logs-*", query: "log.level:ERROR"}',
    "kubernetes": "kubernetes: {count: unready_pods}",
    "burn_rate": "burn_rate: {objective: 99.9%, …}",
    "http": 'http: {url: "http://web-{{ color }}:8080/healthz"}',
    "compare": "compare: {baseline: concurrent, …}",
    "threshold": "threshold: {max: 0.05}",
    "min_samples": "min_samples: 500",
    "for": "for: 1m",
    "keep_firing_for": "keep_firing_for: 5m",
    "datapoints_to_alarm": "datapoints_to_alarm: 3",
    "evaluation_periods": "evaluation_periods: 4",
    "initial_delay": "initial_delay: 60s",
    "no_data": "no_data: hold",
    "no_data_timeout": "no_data_timeout: 5m",
    "action": "action: rollback",
    "labels": "labels: {severity: critical}",
    "annotations": "annotations: {summary: too many errors}",
    "expr": "expr: sum(rate(…[2m]))",
    "absent_is_zero": "absent_is_zero: true",
    "index": 'index: "logs-banking-*"',
    "max_age": "max_age: 5m",
    "query": "query: log.level:ERROR",
    "dsl": "dsl: {term: {log.level: ERROR}}",
    "kql": 'kql: "log.level: ERROR"',
    "esql": "esql: FROM logs-* | WHERE … | STATS COUNT(*)",
    "filter": 'filter: [{term: {kubernetes.labels.color: "{{ color }}"}}]',
    "ratio_of": 'ratio_of: "*"',
    "timeframe": "timeframe: 5m",
    "query_delay": "query_delay: 60s",
    "timestamp_field": 'timestamp_field: "@timestamp"',
    "count": "count: unready_pods",
    "window": "window: 10m",
    "share": "share: true",
    "error_expr": 'error_expr: sum(rate(…{code=~"5.."}[{{ window }}]))',
    "total_expr": "total_expr: sum(rate(…[{{ window }}]))",
    "objective": "objective: 99.9%",
    "period": "period: 30d",
    "pairs": "pairs: [{long: 1h, budget: 2%}]",
    "long": "long: 1h",
    "short": "short: 5m",
    "budget": "budget: 2%",
    "url": 'url: "http://web-{{ color }}:8080/healthz"',
    "measure": "measure: latency",
    "status": "status: [200]",
    "body": "body: ok",
    "timeout": "timeout: 2s",
    "baseline": "baseline: concurrent",
    "baseline_error_expr": "baseline_error_expr: sum(increase(…[{{ window }}]))",
    "baseline_total_expr": "baseline_total_expr: sum(increase(…[{{ window }}]))",
    "offset": "offset: 1d",
    "dispersion": "dispersion: 2",
    "min": "min: 1",
    "max": "max: 0.05",
    "value": "value: 200",
}

_OTHER_WORKLOADS = frozenset({"statefulset", "daemonset", "replicaset", "job", "cronjob", "rollout", "pod", "kind"})
_WORDS_OF_OTHERS = {
    "name": "alert",
    "expression": "expr",
    "query": "expr",
    "metric": "expr",
    "duration": "for",
    "window": "timeframe",
    **dict.fromkeys(("severity", "team", "priority"), "labels"),
    **dict.fromkeys(("summary", "description", "runbook_url", "runbook", "dashboard"), "annotations"),
}
"""Keys of other tools, and ours for the same."""
_OTHER_FILES = {
    "apiVersion": "this is a Kubernetes object, and no rule file; keep it in another folder",
    "groups": "these are Prometheus' own rules, and no rule file; write a target with their expressions as its rules",
}
_NAMES = {"": "the top of the file", "rules": "the rule itself", "services": "the Service"}
_LONGEST_KEY = 60


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys that a section of a rule file may have, in their order."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def foreign(value: Any) -> Finding | None:
    """What to say of a file that has no key of ours, and those of another kind of file."""
    if not isinstance(value, dict) or value.keys() & set(keys_of(Target)):
        return None
    for key, sentence in _OTHER_FILES.items():
        if key in value:
            return Finding(path=(key,), code="R201", message=sentence, at_key=True)
    return None


def unknown_key(path: KeyPath) -> Finding:
    """What is to be said of a key that its section does not have."""
    message, meant = _about_unknown(str(path[-1]), path[:-1])
    return Finding(path=path, code="R201", message=message, at_key=True, meant=meant)


def _about_unknown(key: str, parent: KeyPath) -> tuple[str, KeyPath | None]:
    """The sentence, and the key that was meant if it is clear."""
    section = section_of(parent)
    known = keys_of(SECTIONS[section])
    if key.lower() in _OTHER_WORKLOADS:
        both = EXAMPLES["deployment"]
        return (
            f"unknown key {quoted(key)}; only Deployments are rolled back; name those of both colors with {both}",
            None,
        )
    for part in known:
        if part in SECTIONS and key in keys_of(SECTIONS[part]):
            return f"{quoted(key)} does not belong here; move it to {part}", (*parent, part, key)
    outer = _outside(parent)
    if outer is not None and key in keys_of(SECTIONS[section_of(outer)]):
        where = _NAMES.get(section_of(outer), section_of(outer))
        return f"{quoted(key)} does not belong here; move it out of {section}, to {where}", (*outer, key)
    if _WORDS_OF_OTHERS.get(key) in known:
        meant = _WORDS_OF_OTHERS[key]
        return f"unknown key {quoted(key)}; did you mean {EXAMPLES[meant]}?", (*parent, meant)
    close = difflib.get_close_matches(key, known, n=1) if len(key) <= _LONGEST_KEY else []
    if close:
        return f"unknown key {quoted(key)}; did you mean {quoted(close[0])}?", (*parent, close[0])
    return f"unknown key {quoted(key)}; known here are {', '.join(known)}", None


def _outside(path: KeyPath) -> KeyPath | None:
    """The path of the section around the one at a path, None around the whole file."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path[:-1] if path else None


def section_of(path: KeyPath) -> str:
    """The name of the section that a path is in, "" for the top of the file."""
    return next((part for part in reversed(path) if isinstance(part, str)), "")
