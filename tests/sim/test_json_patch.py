"""Patches by table; the contract test sends the same kinds to a real API server."""

from typing import Any

import pytest

from watchdog.sim.kubernetes.json_patch import (
    PatchNotSimulatedError,
    PatchRejectedError,
    apply_json_patch,
    merge_patch,
    strategic_merge,
)

DOCUMENT = {"a": {"b": "c"}, "list": [1, 2], "n": 1, "flag": True, "s/l~a": "sh", "none": None}


def operation(op: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "path": path, **more}


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        pytest.param(operation("add", "/new", value=1), {"new": 1}, id="adds a key"),
        pytest.param(operation("add", "/n", value=2), {"n": 2}, id="add replaces"),
        pytest.param(operation("add", "/list/0", value=0), {"list": [0, 1, 2]}, id="inserts"),
        pytest.param(operation("add", "/list/-", value=3), {"list": [1, 2, 3]}, id="appends"),
        pytest.param(operation("add", "/list/2", value=3), {"list": [1, 2, 3]}, id="adds behind the last"),
        pytest.param(operation("add", "/x"), {"x": None}, id="add without a value adds null"),
        pytest.param(operation("replace", "/a", value={}), {"a": {}}, id="replaces a whole map"),
        pytest.param(operation("replace", "/missing", value=1), {"missing": 1}, id="replace adds, against RFC 6902"),
        pytest.param(operation("replace", "/s~1l~0a", value="x"), {"s/l~a": "x"}, id="escaped key"),
        pytest.param(operation("copy", "/d", **{"from": "/a"}), {"d": {"b": "c"}}, id="copies"),
        pytest.param(operation("copy", "/d", **{"from": "/missing"}), {"d": None}, id="copies what is missing"),
        pytest.param(operation("test", "/n", value=1), {}, id="equal"),
        pytest.param(operation("test", "/list/-1", value=2), {}, id="equal, counted from the end"),
        pytest.param(operation("test", "/missing", value=None), {}, id="missing is null"),
        pytest.param(operation("test", "/a", value={"b": "c"}), {}, id="equal maps"),
    ],
)
def test_applies(change: dict[str, Any], changed: dict[str, Any]) -> None:
    assert apply_json_patch(DOCUMENT, [change]) == DOCUMENT | changed


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(operation("test", "/n", value=2), id="another value"),
        pytest.param(operation("test", "/n", value=1.0), id="another kind of number"),
        pytest.param(operation("test", "/flag", value=1), id="true is not 1"),
        pytest.param(operation("test", "/a", value={"b": "c", "d": "e"}), id="a smaller map"),
        pytest.param(operation("test", "/a", value={}), id="a greater map"),
        pytest.param(operation("test", "/missing", value="x"), id="missing"),
        pytest.param(operation("test", "/missing/deep", value=None), id="missing on the way"),
        pytest.param(operation("test", "/list/2", value=None), id="behind the last"),
        pytest.param(operation("add", "/missing/key", value=1), id="add below what is missing"),
        pytest.param(operation("add", "/n/key", value=1), id="add below a number"),
        pytest.param(operation("add", "/list/4", value=1), id="insert too far behind"),
        pytest.param(operation("add", "/list/x", value=1), id="no index"),
        pytest.param(operation("add", "n", value=1), id="no path"),
        pytest.param(operation("remove", "/missing"), id="remove what is missing"),
        pytest.param(operation("move", "/x", **{"from": "/missing"}), id="move what is missing"),
        pytest.param(operation("copy", "/x"), id="copy from nowhere"),
        pytest.param(operation("merge", "/x", value=1), id="unknown operation"),
        pytest.param({"op": "add", "value": 1}, id="without a path"),
    ],
)
def test_rejects(change: dict[str, Any]) -> None:
    with pytest.raises(PatchRejectedError):
        apply_json_patch(DOCUMENT, [change])


def test_applies_all_or_nothing() -> None:
    document = {"a": 1}
    with pytest.raises(PatchRejectedError):
        apply_json_patch(document, [operation("replace", "/a", value=2), operation("test", "/a", value=1)])
    assert document == {"a": 1}


def test_removes_and_moves() -> None:
    moved = apply_json_patch({"a": {"b": 1}}, [operation("move", "/c", **{"from": "/a/b"}), operation("remove", "/a")])
    assert moved == {"c": 1}


@pytest.mark.parametrize(
    ("patch", "merged"),
    [
        pytest.param({"a": {"x": 1}}, {"a": {"b": "c", "x": 1}, "n": 1}, id="maps merge"),
        pytest.param({"a": {"b": None}}, {"a": {}, "n": 1}, id="null deletes"),
        pytest.param({"a": 5}, {"a": 5, "n": 1}, id="a value replaces a map"),
        pytest.param({"z": {"y": None, "x": 1}}, {"a": {"b": "c"}, "n": 1, "z": {"x": 1}}, id="no null is ever kept"),
    ],
)
def test_merges(patch: Any, merged: Any) -> None:
    assert merge_patch({"a": {"b": "c"}, "n": 1}, patch) == merged


def test_merges_containers_by_name() -> None:
    old = {"containers": [{"name": "app", "image": "1"}, {"name": "side", "image": "1"}], "args": [1, 2]}
    patch = {"containers": [{"name": "app", "image": "2"}, {"name": "new"}], "args": [3]}
    assert strategic_merge(old, patch, {"containers": "name"}) == {
        "containers": [{"name": "new"}, {"name": "app", "image": "2"}, {"name": "side", "image": "1"}],
        "args": [3],
    }


def test_refuses_directives() -> None:
    with pytest.raises(PatchNotSimulatedError):
        strategic_merge({}, {"spec": {"$patch": "replace"}}, {})
