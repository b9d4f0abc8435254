"""What a PromQL expression reads: the selectors whose newest sample has to be new, and the longest range."""

import pytest

from watchdog.core.rules.reads import reads_of, why_not_of_the_past


@pytest.mark.parametrize(
    ("expr", "selectors", "window"),
    [
        pytest.param("vector(1)", [], 0, id="nothing"),
        pytest.param("max(queue_length)", ['{__name__="queue_length"}'], 0, id="an instant"),
        pytest.param("rate(a[2m])", ['{__name__="a"}'], 120, id="a range"),
        pytest.param(
            'sum(rate(a{code=~"5.."}[2m])) / sum(rate(a[5m]))', ['{__name__="a"}'], 300, id="a part is in its whole"
        ),
        pytest.param(
            'a{x="1"} + a{y!="2"}', ['{__name__="a",x="1"}', '{__name__="a",y!="2"}'], 0, id="neither in the other"
        ),
        pytest.param("a offset 1h + a @ 5", [], 0, id="the past"),
        pytest.param("max_over_time(rate(a[2m])[1h:1m])", ['{__name__="a"}'], 3720, id="a subquery"),
        pytest.param("max_over_time(rate(a[2m])[1h:1m] offset 1d)", [], 3720, id="a subquery about the past"),
        pytest.param("-(a + on() group_left() b)", ['{__name__="a"}', '{__name__="b"}'], 0, id="signs and brackets"),
        pytest.param('{"my.name", "a.b"="c"}', ['{"a.b"="c",__name__="my.name"}'], 0, id="names with dots"),
        pytest.param("topk(3, a", [], 0, id="no expression"),
    ],
)
def test_reads(expr: str, selectors: list[str], window: float) -> None:
    reads = reads_of(expr)
    assert [str(selector) for selector in reads.selectors] == selectors
    assert all(selector.is_needed for selector in reads.selectors)
    assert reads.window == window


@pytest.mark.parametrize(
    ("expr", "needed"),
    [
        pytest.param("a or vector(0)", {"a": False}, id="either side of or"),
        pytest.param("a unless b", {"a": True, "b": False}, id="what unless takes away"),
        pytest.param("a and b", {"a": True, "b": True}, id="a condition"),
        pytest.param("absent(a) * b", {"a": False, "b": True}, id="absence"),
        pytest.param("a + (a or b)", {"a": True, "b": False}, id="needed once is needed"),
        pytest.param('a{x="1"} + (a or b)', {'a",x="1': True, "a": False, "b": False}, id="a whole that is not needed"),
    ],
)
def test_what_may_be_missing(expr: str, needed: dict[str, bool]) -> None:
    found = {str(selector): selector.is_needed for selector in reads_of(expr).selectors}
    assert found == {f'{{__name__="{name}"}}': is_needed for name, is_needed in needed.items()}


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        pytest.param("rate(a[5m]) / rate(a[5m] offset 1d)", "", id="the past"),
        pytest.param("a @ 1700000000", "", id="an instant that is the same for each question"),
        pytest.param("a + b @ end()", "it reads @ start() or @ end()", id="the end"),
        pytest.param("rate(a[5m] @ start())", "it reads @ start() or @ end()", id="the start, of a range"),
        pytest.param("max_over_time(a[1h:1m] @ end())", "it reads @ start() or @ end()", id="of a subquery"),
        pytest.param("sum(rate(a[5m] offset -5m))", "it has a negative offset", id="the future"),
        pytest.param("max_over_time(a[1h:1m] offset -1h)", "it has a negative offset", id="the future of a subquery"),
        pytest.param("topk(3, a", "", id="no expression"),
    ],
)
def test_what_a_range_query_would_answer_otherwise(expr: str, why: str) -> None:
    told = why_not_of_the_past(expr)
    assert told.startswith(why)
    assert bool(told) == bool(why)
