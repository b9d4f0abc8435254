"""``R3xx`` and ``R4xx``: what the grammars of PromQL and Lucene refuse."""

from watchdog.core.rules.codes.code import Code


def _promql(expr: str) -> str:
    return f"- alert: Errors\n  prometheus: {{expr: '{expr}'}}\n  threshold: {{max: 1}}\n"


def _lucene(query: str) -> str:
    return f"- alert: Logs\n  elasticsearch: {{index: logs, query: '{query}'}}\n  threshold: {{max: 100}}\n"


QUERIES = (
    Code(
        id="R301",
        title="this is not PromQL",
        why="Prometheus would refuse the expression, and the rule would be blind from its first slot on.",
        wrong=_promql("sum(rate(errors_total[2m])"),
        right=_promql("sum(rate(errors_total[2m]))"),
    ),
    Code(
        id="R302",
        title="too long or too deep an expression to check",
        why="More than 200 operators or 50 levels are not parsed here. A recording rule holds the parts better.",
        wrong=_promql("(" * 51 + "up" + ")" * 51),
        right=_promql("sum(up)"),
    ),
    Code(
        id="R303",
        title="the expression yields no single value",
        why="A range and a string are no numbers that a threshold could be compared with.",
        wrong=_promql("errors_total[2m]"),
        right=_promql("sum(rate(errors_total[2m]))"),
    ),
    Code(
        id="R401",
        title="this is not a Lucene query",
        why="Elasticsearch would refuse the query, or search for something else than was meant.",
        wrong=_lucene("level:(ERROR OR FATAL"),
        right=_lucene("level:(ERROR OR FATAL)"),
    ),
    Code(
        id="R402",
        title="an operator in lower case",
        why="and, or and not are operators in KQL; Lucene searches for them as words, and finds something else "
        "without a complaint.",
        wrong=_lucene("level:ERROR and not logger:HealthCheck"),
        right=_lucene("level:ERROR AND NOT logger:HealthCheck"),
    ),
    Code(
        id="R403",
        title="a term with two fields",
        why="a:b:c is read as the field a with a field b inside. A text with a colon belongs in quotes.",
        wrong=_lucene("message:status:500"),
        right=_lucene('message:"status:500"'),
    ),
    Code(
        id="R404",
        title="a term that begins with a wildcard",
        why="Elasticsearch compares it with every term of the field, in each slot, which is slow on a large index and "
        "refused where expensive queries are switched off. Name how the terms begin, or index the field as wildcard.",
        wrong=_lucene("logger:*Check"),
        right=_lucene("logger:Health*"),
        warns=True,
    ),
    Code(
        id="R405",
        title="terms without an operator",
        why="Lucene joins terms by OR, looks for a word without a field in every field, and takes = for a letter. "
        "The rule counts more than was meant. Write OR or AND, and the field of each word.",
        wrong=_lucene("level:ERROR FATAL"),
        right=_lucene("level:(ERROR OR FATAL)"),
        warns=True,
    ),
)
