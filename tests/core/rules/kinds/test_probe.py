"""What a probe may ask."""

from __future__ import annotations

import pytest

from tests.core.rules.kinds.checking import problems

NOT_A_URL = " is not a URL; write it such as http://web-{{ color }}:8080/healthz"


def file(url: str = "http://web-{{ color }}/", rest: str = "", *, more: str = "threshold: {max: 0}") -> str:
    return f'http: {{url: "{url}"{rest}}}\n{more}'


@pytest.mark.parametrize(
    "rule",
    [
        file(),
        file("https://{{ color }}.shop.example:8443/a?b=c"),
        file("http://[fd00::1]:80"),
        file("http://web", ", status: [200, 302], body: hello"),
        file(rest=", measure: latency", more="threshold: {max: 0.5}"),
        file(more="threshold: {max: 0}\nfor: 1m\naction: rollback"),
    ],
)
def test_well_formed(rule: str) -> None:
    assert problems(rule) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        pytest.param(file("web"), "'web'" + NOT_A_URL, id="no scheme"),
        pytest.param(file("file:///etc/passwd"), "'file:///etc/passwd'" + NOT_A_URL, id="another scheme"),
        pytest.param(file("http://"), "'http://'" + NOT_A_URL, id="no host"),
        pytest.param(file("http://web/#top"), "'http://web/#top'" + NOT_A_URL, id="a fragment"),
        pytest.param(file("http://web/a b"), "'http://web/a b'" + NOT_A_URL, id="a space"),
        pytest.param(
            file("http://a:b@web/"),
            "credentials do not belong in a rule file, and a probe sends none; remove them from the URL",
            id="credentials",
        ),
        pytest.param(
            file("http://{{ host }}/"),
            "only {{ color }} and {{ namespace }} can be in a URL; write it such as http://web-{{ color }}/",
            id="an unknown placeholder",
        ),
        pytest.param(
            file("http://169.254.169.254/latest"),
            "169.254.169.254 is link-local, where clouds' metadata services are, and is never asked; "
            "name the application",
            id="a metadata service",
        ),
        pytest.param(
            file("http://[::ffff:169.254.169.254]/"),
            "::ffff:169.254.169.254 is link-local, where clouds' metadata services are, and is never asked; "
            "name the application",
            id="a metadata service in disguise",
        ),
        pytest.param(
            file(rest=", timeout: 1m"),
            "a slot does not wait so long for one answer; write 10s or less, such as 2s",
            id="too patient",
        ),
        pytest.param(
            file(rest=", status: [700]"),
            "700 is out of range; it has to be at most 599, such as [200]",
            id="no status",
        ),
        pytest.param(
            file(more="threshold: {max: 1}"),
            "a failure is 1 and never more, so that the rule would never fire; write 0",
            id="a failure is never above 1",
        ),
        pytest.param(
            file(more="threshold: {min: 1}"),
            "the value is the worse the greater it is; write max, such as {max: 0}",
            id="only a lower bound",
        ),
        pytest.param(
            file(rest=", measure: latency", more="threshold: {max: 2}"),
            "no answer is waited for longer than 2 s, so that the rule would never fire; "
            "write less, or a longer timeout",
            id="a latency that is not waited for",
        ),
        pytest.param(
            file(more="threshold: {max: -1}"),
            "no value is below 0, so that the rule would always fire; write 0 or more, such as 0",
            id="a failure is never below 0",
        ),
        pytest.param(
            file(rest=", measure: latency", more="threshold: {max: -0.5}"),
            "no value is below 0, so that the rule would always fire; write 0 or more, such as 0.5",
            id="an answer before the question",
        ),
        pytest.param(
            file(rest=", measure: latency", more="threshold: {max: 0}"),
            "every answer takes some time, so that the rule would always fire; write seconds, such as 0.5",
            id="an answer at once",
        ),
        pytest.param(
            file(rest=", measure: latency", more="threshold: {min: 0.1, max: 1}"),
            "the value is the worse the greater it is; remove min",
            id="an answer that is too fast",
        ),
        pytest.param(
            file(more="threshold: {max: 0}\nmin_samples: 5"),
            "a rule on http has no number of samples; remove min_samples",
            id="samples",
        ),
        pytest.param(
            file("http://web/", more="threshold: {max: 0}\nfor: 1m\naction: rollback"),
            "the URL is the same for both colors, so that nobody could tell whether only one of them is sick; "
            "put {{ color }} in it: a Service of its own for each color",
            id="a rollback without a color",
        ),
    ],
)
def test_refused(rule: str, said: str) -> None:
    assert [problem.split(": ", 1)[1] for problem in problems(rule)] == [said]
