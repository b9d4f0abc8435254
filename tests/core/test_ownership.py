"""Which installation an object is in the hands of."""

import pytest

from tests.core.making import status, target, trip
from watchdog.core.annotations import MANAGED_BY
from watchdog.core.ownership import instance_name, is_another, without_others


@pytest.mark.parametrize(
    ("manager", "instance", "expected"),
    [
        pytest.param("", "dogs/one", False, id="nobody has it"),
        pytest.param("dogs/one", "dogs/one", False, id="itself, or its successor"),
        pytest.param("dogs/one", "dogs/two", True, id="another release in the same namespace"),
        pytest.param("dogs/one", "cats/one", True, id="the same release in another namespace"),
        pytest.param("dogs/one", instance_name("dogs"), False, id="a person's command beside its journals"),
        pytest.param("dogs/one", instance_name("cats"), True, id="a person's command beside other journals"),
        pytest.param(instance_name("dogs"), "dogs/one", False, id="what a person's command has marked"),
        pytest.param("true", "dogs/one", True, id="what nobody wrote that we know"),
        pytest.param("dogs/one", "", False, id="whoever minds no mark"),
    ],
)
def test_F94_who_is_another_instance(manager: str, instance: str, *, expected: bool) -> None:
    assert is_another(manager, instance) is expected


@pytest.mark.parametrize(("manager", "is_kept"), [("dogs/one", True), ("cats/one", False)])
def test_F94_a_trip_of_another_instance_is_not_gone_on_with(manager: str, *, is_kept: bool) -> None:
    seen = status(target(), trip=trip(), service_fields={"annotations": {MANAGED_BY: manager}})
    assert (without_others(seen, "dogs/one").trip is not None) is is_kept
