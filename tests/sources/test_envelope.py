"""Prometheus' envelope: one number, nothing, or an error."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sources.asking import ANY_JSON, SLOT, promql, vector
from watchdog.core.evaluate import judge
from watchdog.core.model import Measurement, Outcome
from watchdog.core.rules.kinds import PrometheusQuery
from watchdog.core.rules.language import Rule
from watchdog.sources.answer import Answer, AnswerError
from watchdog.sources.envelope import Reading, read_value, to_measurement


def answer(envelope: Any, *, status: int = 200) -> Answer:
    body = json.dumps(envelope).encode()
    return Answer(status=status, content_type="application/json", body=body, received_at=SLOT)


def typed(kind: Any, result: Any, **envelope: Any) -> Answer:
    return answer({"status": "success", "data": {"resultType": kind, "result": result}, **envelope})


def read(received: Answer) -> float | None:
    return read_value(received, at=SLOT)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25),
        ("0", 0.0),
        ("-1", -1.0),
        ("1e-07", 1e-07),
        ("1.7976931348623157e+308", 1.7976931348623157e308),
        ("+Inf", math.inf),
        ("-Inf", -math.inf),
    ],
)
def test_numbers_as_prometheus_writes_them(text: str, value: float) -> None:
    assert read(answer(vector(text))) == value


def test_nan_is_passed_on_for_the_core_to_judge_F05() -> None:
    value = read(answer(vector("NaN")))
    assert value is not None
    assert math.isnan(value)


@pytest.mark.parametrize("text", ["", " 1", "1_000", "nan", "infinity", "0x1", "1,5", "٣", "yes"])
def test_what_prometheus_never_writes_is_no_number(text: str) -> None:
    with pytest.raises(AnswerError, match="another shape"):
        read(answer(vector(text)))


def test_an_empty_vector_is_nothing_F04() -> None:
    assert read(answer(vector())) is None


def test_a_scalar_is_a_value() -> None:
    assert read(typed("scalar", [SLOT, "3"])) == 3


@pytest.mark.parametrize(
    ("received", "says"),
    [
        pytest.param(typed("string", [SLOT, "3"]), "answered a string where one number", id="a string"),
        pytest.param(typed("matrix", []), "answered a matrix where one number", id="a matrix"),
        pytest.param(typed("streams", []), "another shape", id="a result of Loki"),
        pytest.param(typed(["vector"], []), "another shape", id="a type that is no text"),
        pytest.param(typed("vector", {}), "another shape", id="a vector that is no list"),
        pytest.param(typed("vector", [3]), "another shape", id="a series that is no object"),
        pytest.param(typed("vector", [{"metric": {}}]), "another shape", id="a series without a value"),
        pytest.param(typed("vector", [{"metric": {}, "value": [SLOT, 3]}]), "another shape", id="a value as a number"),
        pytest.param(typed("scalar", [SLOT]), "another shape", id="a scalar without a value"),
        pytest.param(typed("scalar", None), "another shape", id="a scalar that is null"),
        pytest.param(typed("vector", [1, 2]), "another shape", id="several series that are no objects"),
        pytest.param(
            typed("vector", [{"metric": {}, "histogram": [SLOT, {}]}]), "answered a histogram", id="a histogram"
        ),
        pytest.param(answer(vector("1", at=SLOT + 1.1)), "another instant (+1.100 s", id="another instant"),
        pytest.param(answer(vector("1", warnings="odd")), "with warnings, a part of the truth: odd", id="odd warnings"),
        pytest.param(answer(vector("1"), status=203), "(HTTP 203)", id="another 2xx status"),
        pytest.param(answer({**vector("1"), "status": "fail"}), "another shape", id="another word for the status"),
        pytest.param(answer({"status": "error"}, status=500), "query (HTTP 500)", id="an error without words"),
        pytest.param(answer({"error": {"a": 1}}, status=500), "query (HTTP 500)", id="an error that is no text"),
    ],
)
def test_what_is_no_single_number_is_an_error(received: Answer, says: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read(received)
    assert says in str(caught.value)


def test_several_series_are_named_by_their_labels_F09() -> None:
    series = [{"metric": {"pod": f"p{i}", "code": "500"}, "value": [SLOT, "1"]} for i in range(5)]
    with pytest.raises(AnswerError) as caught:
        read(typed("vector", series))
    assert str(caught.value) == (
        "answered 5 series where one is expected; aggregate with sum() or max(). They are "
        '{code="500", pod="p0"} and {code="500", pod="p1"} and {code="500", pod="p2"} and others'
    )


def test_hints_are_no_warnings_F10() -> None:
    assert read(answer(vector("1", warnings=[], infos=["metric might not be a counter"]))) == 1


@given(ANY_JSON, st.integers(100, 599))
def test_any_json_is_read_or_an_answer_error(envelope: Any, status: int) -> None:
    _read_or_answer_error(answer(envelope, status=status))


@given(ANY_JSON, ANY_JSON, ANY_JSON)
def test_any_result_is_read_or_an_answer_error(kind: Any, result: Any, warnings: Any) -> None:
    _read_or_answer_error(typed(kind, result, warnings=warnings))


@given(st.sampled_from(["scalar", "vector"]), st.lists(st.fixed_dictionaries({"metric": ANY_JSON, "value": ANY_JSON})))
def test_any_series_are_read_or_an_answer_error(kind: str, result: list[Any]) -> None:
    _read_or_answer_error(typed(kind, result))


def _read_or_answer_error(received: Answer) -> None:
    try:
        value = read(received)
    except AnswerError:
        return
    assert value is None or isinstance(value, float)


EMPTY = Reading()
GUARD = {"expr": "n", "value": 200}


@pytest.mark.parametrize(
    ("rule", "value", "samples", "expected"),
    [
        pytest.param(promql(), Reading(value=0.2), None, Measurement(value=0.2), id="a value"),
        pytest.param(
            promql(min_samples=GUARD),
            Reading(value=0.2),
            Reading(value=640.0),
            Measurement(value=0.2, samples=640.0),
            id="a value of many samples",
        ),
        pytest.param(
            promql(min_samples=GUARD),
            Reading(value=0.2),
            EMPTY,
            Measurement(value=0.2, samples=0.0),
            id="no series of samples are no samples",
        ),
        pytest.param(
            promql(min_samples=GUARD, absent_is_zero=True),
            EMPTY,
            Reading(value=200.0),
            Measurement(value=0.0, samples=200.0),
            id="absent is zero when there are just enough samples",
        ),
        pytest.param(
            promql(min_samples=GUARD, absent_is_zero=True),
            EMPTY,
            Reading(value=199.0),
            Measurement(value=0.0, samples=199.0),
            id="absent is zero with too few samples: what they prove is not said here",
        ),
        pytest.param(
            promql(min_samples=GUARD, absent_is_zero=True),
            EMPTY,
            EMPTY,
            Measurement.nodata("P has no series for the expression at this instant", samples=0.0),
            id="absent is not zero without any sample",
        ),
        pytest.param(
            promql(min_samples=GUARD),
            EMPTY,
            Reading(value=640.0),
            Measurement.nodata("P has no series for the expression at this instant", samples=640.0),
            id="absent is not zero unless the rule says so",
        ),
        pytest.param(
            promql(absent_is_zero=True),
            EMPTY,
            None,
            Measurement.nodata("P has no series for the expression at this instant"),
            id="absent is not zero when nobody counted",
        ),
        pytest.param(
            promql(min_samples=200, absent_is_zero=True),
            EMPTY,
            None,
            Measurement.nodata("P has no series for the expression at this instant"),
            id="a minimum without an expression counts nothing",
        ),
        pytest.param(promql(), Reading(error="P hangs"), None, Measurement.error("P hangs"), id="an error"),
        pytest.param(
            promql(min_samples=GUARD),
            Reading(error="P hangs"),
            Reading(error="P is slow"),
            Measurement.error("P hangs"),
            id="the value's error comes first",
        ),
        pytest.param(
            promql(min_samples=GUARD, absent_is_zero=True),
            EMPTY,
            Reading(error="P is slow"),
            Measurement.error("min_samples: P is slow"),
            id="an error of the samples",
        ),
        pytest.param(
            promql(min_samples=GUARD),
            Reading(value=0.2),
            Reading(value=math.nan),
            Measurement.error("min_samples: P answered nan, which is no number of samples"),
            id="samples that are not a number: they would pass every minimum",
        ),
        pytest.param(
            promql(min_samples=GUARD),
            Reading(value=0.2),
            Reading(value=math.inf),
            Measurement.error("min_samples: P answered inf, which is no number of samples"),
            id="samples without end",
        ),
    ],
)
def test_value_and_samples_make_the_measurement(
    rule: Rule, value: Reading, samples: Reading | None, expected: Measurement
) -> None:
    assert rule.prometheus is not None
    measurement = to_measurement(rule.prometheus, value=value, samples=samples, server="P")
    assert measurement == expected


@pytest.mark.parametrize("no_data", ["hold", "ok", "breach"])
def test_a_quiet_hour_without_an_error_is_too_little_evidence_and_neither_blind_nor_sick_V10(no_data: str) -> None:
    rule = promql(min_samples=GUARD, absent_is_zero=True).model_copy(update={"no_data": no_data})
    query = rule.prometheus
    assert query is not None
    quiet = to_measurement(query, value=EMPTY, samples=Reading(value=50.0), server="P")
    assert judge(rule, quiet) == (Outcome.INSUFFICIENT, "50 samples, 200 are needed")


READINGS = st.builds(Reading, value=st.none() | st.floats(), error=st.just(""))


@given(READINGS, st.none() | READINGS, st.builds(PrometheusQuery, expr=st.just("v"), absent_is_zero=st.booleans()))
def test_nothing_that_was_not_answered_becomes_a_breach(
    value: Reading, samples: Reading | None, query: PrometheusQuery
) -> None:
    measurement = to_measurement(query, value=value, samples=samples, server="P")
    if value.value is None:
        assert measurement.value in (None, 0.0)
    if measurement.value is None:
        assert measurement.failure in (Outcome.NODATA, Outcome.ERROR)
        assert measurement.reason
    assert measurement.samples is None or math.isfinite(measurement.samples)
