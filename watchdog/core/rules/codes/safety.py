"""``R5xx``: what a rule can say and should not, since it would roll back wrongly, or never."""

from watchdog.core.rules.codes.code import Code

_COLOR = 'color="{{ color }}"'
_ERRORS = f"sum(rate(errors_total{{{_COLOR}}}[2m]))"
_REQUESTS = f"sum(rate(requests_total{{{_COLOR}}}[2m]))"
_COUNT = f"sum(increase(requests_total{{{_COLOR}}}[2m]))"


def _acting(expr: str = _ERRORS, *, limit: str = "{max: 5}", rest: str = "  for: 1m\n") -> str:
    return f"- alert: Errors\n  prometheus: {{expr: '{expr}'}}\n  threshold: {limit}\n  action: rollback\n{rest}"


def _ratio(*, whole: str = _REQUESTS, counted: str = _COUNT, times: str = "", limit: str = "{max: 0.05}") -> str:
    samples = f"  min_samples: {{expr: '{counted}', value: 200}}\n  for: 1m\n" if counted else "  for: 1m\n"
    return _acting(f"{times}{_ERRORS} / {whole}", limit=limit, rest=samples)


def _logs(*, limit: str = "{max: 0.05}", timeframe: str = "5m", color: str = "{{ color }}") -> str:
    return (
        '- alert: Logs\n  elasticsearch:\n    index: logs\n    query: "level:ERROR"\n    ratio_of: "*"\n'
        f'    filter: [{{term: {{labels.color: "{color}"}}}}]\n    timeframe: {timeframe}\n'
        f"  threshold: {limit}\n  min_samples: 500\n"
    )


def _burning(*, errors: str = "errors_total", long: str = "1h", budget: str = "2%", span: str = "{{ window }}") -> str:
    counted = f"sum(increase(requests_total{{{_COLOR}}}[2m]))"
    return (
        f"- alert: Burn\n  burn_rate:\n    error_expr: 'sum(rate({errors}{{{_COLOR}}}[{span}]))'\n"
        f"    total_expr: 'sum(rate(requests_total{{{_COLOR}}}[{{{{ window }}}}]))'\n    objective: 99%\n"
        f"    pairs: [{{long: {long}, budget: {budget}}}]\n"
        f"  min_samples: {{expr: '{counted}', value: 200}}\n  for: 1m\n  action: rollback\n"
    )


def _worse(function: str) -> str:
    return (
        f"- alert: Worse\n  compare:\n    error_expr: sum({function}(errors_total[{{{{ window }}}}]))\n"
        f"    total_expr: sum({function}(requests_total[{{{{ window }}}}]))\n    baseline: concurrent\n"
    )


def _page(url: str = "http://web-{{ color }}:8080/", *, limit: str = "{max: 0}") -> str:
    return f'- alert: Down\n  http: {{url: "{url}"}}\n  threshold: {limit}\n'


_ACTING = _acting()

SAFETY = (
    Code(
        id="R501",
        title="the expression compares by itself",
        why="errors > 5 is empty when all is well, and empty when nothing is measured any more: healthy and no "
        "data look the same. Let the expression yield the value, and put the bound into threshold.",
        wrong=_acting(f"{_ERRORS} > 5"),
        right=_ACTING,
    ),
    Code(
        id="R502",
        title="a ratio without a number of samples rolls back",
        why="One failed request of two is 50 %. At half a request a second, nine of ten trips were false without "
        "min_samples. Of a share that has no requests, such as memory of its limit, count the pods that report it.",
        wrong=_ratio(counted=""),
        right=_ratio(),
    ),
    Code(
        id="R503",
        title="one single measurement rolls back",
        why="With for: 0s and one datapoint one odd answer is enough. Let it last (for), or ask for several "
        "breaches (datapoints_to_alarm).",
        wrong=_acting(rest=""),
        right=_acting(rest="  datapoints_to_alarm: 2\n  evaluation_periods: 3\n"),
    ),
    Code(
        id="R504",
        title="the query is the same for both colors",
        why="After the rollback the bad color's errors would go on firing on the good one, and nobody would see "
        "that it recovered. A page is asked for at a Service of its own for each color.",
        wrong=_acting("sum(rate(errors_total[2m]))"),
        right=_ACTING,
    ),
    Code(
        id="R505",
        title="the samples of both colors are counted",
        why="The other color's requests would be taken for evidence about this one, so that a handful is enough "
        "after all.",
        wrong=_ratio(counted="sum(increase(requests_total[2m]))"),
        right=_ratio(),
    ),
    Code(
        id="R506",
        title="the expression may yield several series",
        why="A rule has one value. Several series are an error, so that the rule is blind from the day on which a "
        "second pod or instance appears. Aggregate them. A recording rule (with a colon in its name) is taken "
        "to be one series.",
        wrong=_acting(f"rate(errors_total{{{_COLOR}}}[2m])"),
        right=_ACTING,
        warns=True,
    ),
    Code(
        id="R507",
        title="a color that the target does not have",
        why="The target has two colors, and this is neither: it matches nothing, for ever.",
        wrong=_acting('sum(rate(errors_total{color="{{ color }}"}[2m])) + sum(rate(errors_total{color="grene"}[2m]))'),
        right=_ACTING,
    ),
    Code(
        id="R508",
        title="a rule that rolls back names one color",
        why="The rule is asked about the color that is active and about the other; with a fixed color in it, it "
        "speaks of the same one each time.",
        wrong=_acting('sum(rate(errors_total{color="{{ color }}"}[2m])) - sum(rate(errors_total{color="blue"}[2m]))'),
        right=_ACTING,
    ),
    Code(
        id="R509",
        title="missing data rolls back",
        why="With no_data: breach a scrape that fails, a renamed metric and a lost log shipper look like a bad "
        "release; so they do with absent(), and with an or vector(0) that breaches. Where missing data is the "
        "failure, let a rule that only alerts say so, or one that counts what is missing: kubernetes: {count: "
        "unready_pods}. A condition behind and, which shows that other data is there, passes.",
        wrong=_acting(rest="  for: 1m\n  no_data: breach\n"),
        right=_ACTING,
        warns=True,
    ),
    Code(
        id="R510",
        title="what happens between two windows is never looked at",
        why="Each slot looks at the last timeframe of the logs, or the range of the expression. When that is shorter "
        "than interval there are gaps, and an outburst in a gap is never seen.",
        wrong=_logs(timeframe="5s"),
        right=_logs(),
        warns=True,
    ),
    Code(
        id="R511",
        title="divided by what both colors do",
        why="The share of one color's errors in the traffic of both is smaller than it is, as long as both have "
        "traffic: the trip comes late, or not at all.",
        wrong=_ratio(whole="sum(rate(requests_total[2m]))"),
        right=_ratio(),
        warns=True,
    ),
    Code(
        id="R512",
        title="a counter without rate()",
        why="What ends in _total counts since the process began: it only grows, falls to 0 with each restart, and "
        "says nothing about now. As min_samples it is enough for ever after the first few.",
        wrong=_acting(f"sum(errors_total{{{_COLOR}}})"),
        right=_ACTING,
        warns=True,
    ),
    Code(
        id="R513",
        title="a threshold that a share cannot cross, or always does",
        why="A share is between 0 and 1, be it of documents or of the requests of one metric. max: 5 is not 5 %: the "
        "rule would never fire. Write 0.05.",
        wrong=_logs(limit="{max: 5}"),
        right=_logs(),
    ),
    Code(
        id="R514",
        title="the rollback window is over before the rule can fire",
        why="After a switch the rule is not looked at for initial_delay, or for as long as it looks back, and has to "
        "breach for as long as for says then; by that time rollback_window has passed, and nothing is ever rolled "
        "back.",
        wrong="rollback: {rollback_window: 2m}\nrules:\n" + "".join(f"  {line}\n" for line in _ACTING.splitlines()),
        right="rollback: {rollback_window: 30m}\nrules:\n" + "".join(f"  {line}\n" for line in _ACTING.splitlines()),
    ),
    Code(
        id="R515",
        title="the target may act, and no rule does",
        why="mode: enforce is there so that something is rolled back, and action is alert unless a rule says "
        "otherwise.",
        wrong="mode: enforce\n",
        right="mode: enforce\nrules:\n" + "".join(f"  {line}\n" for line in _ACTING.splitlines()),
        warns=True,
    ),
    Code(
        id="R516",
        title="a bound that no value of this kind crosses, or every one, or one on the wrong side",
        why="A failed probe is 1 and a share of pods at most 1, no answer is waited for longer than timeout, and a "
        "color has as many Deployments as the target has Services: a max at or above that never fires, and one below "
        "0 always does. What kubernetes and http count is what is wrong, so that a min would be a breach when all is "
        "well.",
        wrong=_page(limit="{max: 1}"),
        right=_page(),
    ),
    Code(
        id="R517",
        title="a pair that never trips",
        why="Its factor, budget · period / long, asks for more failed requests than there are requests. Write a "
        "smaller budget, or a longer window.",
        wrong=_burning(budget="20%"),
        right=_burning(),
    ),
    Code(
        id="R518",
        title="a slow window rolls back",
        why="What a window of more than 6h shows is a slow leak. It began long before, and may outlast what it is "
        "blamed on; that is for people to look at.",
        wrong=_burning(long="1d", budget="10%"),
        right=_burning(long="6h", budget="5%"),
    ),
    Code(
        id="R519",
        title="the same for every window",
        why="The rule asks for several windows, and without {{ window }} in its range the expression answers the same "
        "to each.",
        wrong=_burning(span="5m"),
        right=_burning(),
    ),
    Code(
        id="R520",
        title="a ratio where a number of requests is needed",
        why="Requests are summed in each window and divided then. An average of ratios is not the ratio of the sums: a "
        "quiet minute would weigh as much as a busy one.",
        wrong=_burning(errors=f"requests_total{{{_COLOR}}}[1m])) / sum(rate(errors_total"),
        right=_burning(),
    ),
    Code(
        id="R521",
        title="a rate where a number of requests is needed",
        why="How strong the evidence is depends on how many requests there were, and a rate does not say so: 1 % of "
        "a hundred proves less than 1 % of a million.",
        wrong=_worse("rate"),
        right=_worse("increase"),
    ),
    Code(
        id="R522",
        title="an address that is never asked",
        why="Link-local addresses and clouds' metadata services hand out credentials to whoever asks from there, and "
        "no application is there.",
        wrong=_page("http://169.254.169.254/"),
        right=_page(),
    ),
    Code(
        id="R523",
        title="a pattern that is compared as text",
        why='code="5.." matches the text 5.. and no status code: there are no such errors, for ever. A pattern stands '
        "behind =~.",
        wrong=_acting(f'sum(rate(errors_total{{{_COLOR},code="5.."}}[2m]))'),
        right=_acting(f'sum(rate(errors_total{{{_COLOR},code=~"5.."}}[2m]))'),
        warns=True,
    ),
    Code(
        id="R524",
        title="percent and parts of 1 mixed up",
        why="100 * errors / requests yields 5 for 5 %; 0.05 would roll back at one failure of two thousand. Without "
        "the 100, 5 is 500 %, which is never reached.",
        wrong=_ratio(times="100 * ", limit="{max: 0.05}"),
        right=_ratio(times="100 * ", limit="{max: 5}"),
        warns=True,
    ),
    Code(
        id="R525",
        title="a range that hardly holds two samples",
        why="rate() and the like need two samples, and yield nothing with one: the rule is blind whenever a scrape is "
        "late. A range holds four scrapes at least; so do the short windows of burn_rate, and window of compare.",
        wrong=_acting(f"sum(rate(errors_total{{{_COLOR}}}[15s]))"),
        right=_ACTING,
        warns=True,
    ),
    Code(
        id="R526",
        title="for is shorter than the interval",
        why="A rule is looked at once in each interval, so that the second breach in a row is the soonest that can "
        "show that it lasts.",
        wrong=_acting(rest="  for: 5s\n"),
        right=_ACTING,
        warns=True,
    ),
    Code(
        id="R527",
        title="a bound between two whole numbers",
        why="Restarts, pods, Deployments and documents are counted in whole numbers. max: 0.05 is crossed by the first "
        "one, and most likely a share was meant: share: true of unready_pods, ratio_of in the logs.",
        wrong=_logs(limit="{max: 0.05}").replace('    ratio_of: "*"\n', "").replace("  min_samples: 500\n", ""),
        right=_logs(),
    ),
    Code(
        id="R528",
        title="the release before counts against the new one",
        why="After a switch or a new revision the window of a query reaches back into the time before, so that the "
        "errors of the old release would roll back the one that mends them. Without initial_delay the rule waits until "
        "its window is wholly of this release.",
        wrong=_acting(rest="  for: 1m\n  initial_delay: 30s\n"),
        right=_acting(rest="  for: 1m\n  initial_delay: 3m\n"),
        warns=True,
    ),
    Code(
        id="R529",
        title="no value while nothing passes a comparison",
        why="count(up == 0) is empty when every pod is up, and empty when nothing is measured any more: the rule is "
        "blind while all is well, and people are told so. Count with sum(up == bool 0), which is 0 then, or leave the "
        "comparison to threshold. With no_data: ok or absent_is_zero an empty answer is said to be well.",
        wrong=_acting(f"count(up{{{_COLOR}}} == 0)"),
        right=_acting(f"sum(up{{{_COLOR}}} == bool 0)"),
        warns=True,
    ),
)
