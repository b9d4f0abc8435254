"""``R6xx``: what the real servers say of a rule (`watchdog check --online`)."""

from watchdog.core.rules.codes.code import Code

_LOGS = '- alert: Logs\n  elasticsearch: {index: "logs-shop", query: "level:ERROR"}\n  threshold: {max: 100}\n'
_FILTERED = _LOGS.replace('query: "level', 'filter: [{term: {logger: Payments}}], query: "level')
_RATE = "- alert: Errors\n  prometheus: {expr: 'sum(rate(errors_total[2m]))'}\n  threshold: {max: 1}\n"

ONLINE = (
    Code(
        id="R601",
        title="no such metric",
        why="Prometheus has had no series of this name within the last hour: it is misspelled, not scraped, or "
        "nothing has created it yet. Create counters with 0 when the application starts.",
        wrong=_RATE.replace("errors_total", "error_total"),
        right=_RATE,
    ),
    Code(
        id="R602",
        title="no such index",
        why="The index, alias or pattern matches nothing: the rule would be an error in every slot.",
        wrong=_LOGS.replace("logs-shop", "logs-shopp-*"),
        right=_LOGS,
    ),
    Code(
        id="R603",
        title="no such field",
        why="No index of the pattern has the field, so the query matches no document, for ever, without a complaint.",
        wrong=_LOGS.replace("level:", "levle:"),
        right=_LOGS,
    ),
    Code(
        id="R604",
        title="the source refuses the rule",
        why="The source answered, and what it answered is no evidence: several series, a query that it does not "
        "understand, a part of the shards.",
        wrong=_RATE.replace("sum(rate(errors_total[2m]))", "rate(errors_total[2m])"),
        right=_RATE,
    ),
    Code(
        id="R605",
        title="no series with these labels",
        why="The metric is there, and of neither color a series with these labels: a label is misspelled, or "
        "nothing of this kind has happened yet. Created with 0, the series would be there before the first "
        "error.",
        wrong=_RATE.replace("errors_total", 'errors_total{app="shopp"}'),
        right=_RATE.replace("errors_total", 'errors_total{app="shop"}'),
        warns=True,
    ),
    Code(
        id="R606",
        title="term on analyzed text",
        why="A field of type text holds words in small letters; term compares whole values, and finds nothing without "
        "a complaint. Use its keyword field, or match.",
        wrong=_FILTERED,
        right=_FILTERED.replace("logger:", "logger.keyword:"),
    ),
    Code(
        id="R607",
        title="the time stamp field is no date",
        why="A window of time is asked of this field. What holds words or numbers is not within it, or by accident.",
        wrong=_LOGS.replace("query:", "timestamp_field: level, query:"),
        right=_LOGS,
    ),
    Code(
        id="R608",
        title="a part of the query that matches nothing",
        why="The query can match all the same, but a field in one part of an OR, or in what a NOT leaves out, is not "
        "there, or is text that is compared whole: that part is idle, and what should be left out is counted.",
        wrong=_LOGS.replace("level:ERROR", "level:ERROR AND NOT loger:HealthCheck"),
        right=_LOGS.replace("level:ERROR", "level:ERROR AND NOT logger:HealthCheck"),
        warns=True,
    ),
)
