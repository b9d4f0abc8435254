"""``R2xx``: the keys of a rule file, and their values."""

from watchdog.core.rules.codes.code import ANOTHER_FILE, Code

_RULE = "- alert: Errors\n  prometheus: {expr: 'sum(rate(errors_total[2m]))'}\n  threshold: {max: 1}\n"
_LOGS = '- alert: Logs\n  elasticsearch: {index: logs, query: "level:ERROR", ratio_of: "*"}\n  threshold: {max: 0.05}\n'
_COMPARED = (
    "- alert: Worse\n  compare:\n    error_expr: sum(increase(errors_total[{{ window }}]))\n"
    "    total_expr: sum(increase(requests_total[{{ window }}]))\n    baseline: "
)
_BURN = (
    "- alert: Burn\n  burn_rate:\n    error_expr: sum(rate(errors_total[{{ window }}]))\n"
    "    total_expr: sum(rate(requests_total[{{ window }}]))\n    objective: 99.9%\n"
    "    pairs: [{long: 1h, short: 5m, budget: 2%}]\n"
)
_PAGE = "- alert: Down\n  http: {url: 'http://web-{{ color }}:8080/'}\n  threshold: {max: 0}\n"
_SERVICES = 'services: [{name: web, deployment: "web-{{ color }}"}]\n'

LANGUAGE = (
    Code(
        id="R201",
        title="an unknown key",
        why="A key that nobody reads is a setting that is not in force. Most are misspelled or stand in the wrong "
        "section.",
        wrong="intervall: 15s\n",
        right="interval: 15s\n",
    ),
    Code(
        id="R202",
        title="a key is missing",
        why="Without it the file does not say what has to be known.",
        wrong="services: [{name: web}]\n",
        right=_SERVICES,
    ),
    Code(
        id="R203",
        title="a value of another kind",
        why="A text stands where a number is needed, or the like. Nothing is converted silently: 5% as a number "
        "would be a guess.",
        wrong=_RULE.replace("{max: 1}", "{max: 5%}"),
        right=_RULE.replace("{max: 1}", "{max: 0.05}"),
    ),
    Code(
        id="R204",
        title="a key without a value",
        why="A key that is there and empty was forgotten; the default is meant by leaving it out.",
        wrong="interval:\n",
        right="interval: 15s\n",
    ),
    Code(
        id="R205",
        title="out of range",
        why="The number is too small or too large, or there are too few or too many of something.",
        wrong=_RULE + "  evaluation_periods: 0\n",
        right=_RULE + "  evaluation_periods: 4\n",
    ),
    Code(
        id="R206",
        title="not one of the words that are known here",
        why="The key takes one of a few words.",
        wrong="mode: live\n",
        right="mode: dry-run\n",
    ),
    Code(
        id="R207",
        title="a value that is not well formed",
        why="A name, a duration, a share or a number is not written as it has to be.",
        wrong=_RULE.replace("{max: 1}", "{max: .nan}"),
        right=_RULE,
    ),
    Code(
        id="R208",
        title="a duration without a unit",
        why="5 could be seconds or minutes, and a rollback should not hang on that guess.",
        wrong=_RULE + "  for: 5\n",
        right=_RULE + "  for: 5m\n",
    ),
    Code(
        id="R209",
        title="a placeholder that is not known here",
        why="Only declared placeholders are replaced; another one would stay in the query as text, and match nothing.",
        wrong=_RULE.replace("errors_total", 'errors_total{color="{{ colour }}"}'),
        right=_RULE.replace("errors_total", 'errors_total{color="{{ color }}"}'),
    ),
    Code(
        id="R210",
        title="the same for both colors",
        why="The Deployments and the selectors of the two colors have to differ, or a switch would change nothing.",
        wrong="services: [{name: web, deployment: web}]\n",
        right=_SERVICES,
    ),
    Code(
        id="R211",
        title="a threshold that is no range",
        why="The threshold is the healthy range; without a bound every value is healthy, and upside down none is.",
        wrong=_RULE.replace("{max: 1}", "{}"),
        right=_RULE,
    ),
    Code(
        id="R212",
        title="a rule asks exactly one source",
        why="The evidence of two sources would need a rule of its own for how they count together. Make two rules "
        "of it.",
        wrong="- alert: Errors\n  threshold: {max: 1}\n",
        right=_RULE,
    ),
    Code(
        id="R213",
        title="the samples do not fit the source",
        why="Prometheus needs an expression that counts the requests, a ratio in the logs the number of documents "
        "alone; a count has none, and neither have kubernetes, http and compare.",
        wrong=_RULE + "  min_samples: 200\n",
        right=_RULE + "  min_samples: {expr: 'sum(increase(requests_total[2m]))', value: 200}\n",
    ),
    Code(
        id="R214",
        title="more datapoints than periods",
        why="Three breaches cannot be among the last two slots: the rule would never fire.",
        wrong=_RULE + "  datapoints_to_alarm: 3\n  evaluation_periods: 2\n",
        right=_RULE + "  datapoints_to_alarm: 3\n  evaluation_periods: 4\n",
    ),
    Code(
        id="R215",
        title="a name stands twice in one file",
        why="Alerts, the journal and the metrics tell rules apart by their names, and a Service is switched once.",
        wrong=_RULE + _RULE,
        right=_RULE + _LOGS,
    ),
    Code(
        id="R216",
        title="two files claim the same",
        why="A target is in one file, and a Service belongs to one target: two would switch it against each other.",
        wrong=f"interval: 15s\n{ANOTHER_FILE}interval: 30s\n",
        right=f"interval: 15s\n{ANOTHER_FILE}target: another\nnamespace: another\n",
    ),
    Code(
        id="R217",
        title="keys that do not go together",
        why="One of the keys has nothing to say about what the other one asks for: a threshold where pairs of windows "
        "or a comparison say what is too much, a window for what is counted as it is now, a second language of one "
        "search. Whoever wrote both expects something that does not happen.",
        wrong=_BURN + "  threshold: {max: 1}\n",
        right=_BURN,
    ),
    Code(
        id="R218",
        title="the baseline and its keys do not fit",
        why="preview needs the two expressions of the preview traffic, offset needs offset, and concurrent none of "
        "them; an offset that is shorter than the window would compare requests with themselves.",
        wrong=_COMPARED + "offset\n",
        right=_COMPARED + "offset\n    offset: 1d\n",
    ),
    Code(
        id="R219",
        title="a pair of windows that is none",
        why="The long window proves that it matters, and the short one that it still goes on: the short one has to "
        "be shorter, and the long one within the period of the objective.",
        wrong=_BURN.replace("5m", "1h"),
        right=_BURN,
    ),
    Code(
        id="R220",
        title="credentials in a URL",
        why="A rule file is read by many and kept in Git, and a probe goes to the application as a stranger would. "
        "Probe a page that needs no login.",
        wrong=_PAGE.replace("http://", "http://user:password@"),
        right=_PAGE,
    ),
    Code(
        id="R221",
        title="names that only their case tells apart",
        why="People read such names as one, in an alert, on a page and at 3 a.m.",
        wrong=_RULE + _RULE.replace("Errors", "ERRORS"),
        right=_RULE + _RULE.replace("Errors", "RareErrors"),
        warns=True,
    ),
)
