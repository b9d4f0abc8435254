"""Each parser under some hundreds of inputs that nobody thought of, the same in each run; `make fuzz` takes longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.running import CAN_FUZZ, WHY_NOT, NotStartedError, fuzz, names

RUNS = 200
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CAN_FUZZ, reason=WHY_NOT),
]


@pytest.mark.parametrize("name", names())
def test_no_input_does_anything_but_be_read_or_refused_F14_F68_F69(name: str, tmp_path: Path) -> None:
    outcome = fuzz(name, tmp_path, "-seed=1", f"-runs={RUNS}", seconds=60, is_guided=False)
    assert outcome.found is None, f"{outcome.found.read_bytes()!r}:\n{outcome.said}"
    assert outcome.runs >= RUNS


@pytest.mark.parametrize(
    ("planted", "begin", "said"),
    [
        pytest.param("RAISING", b"open?!", "LookupError: planted", id="an exception behind two letters"),
        pytest.param("HANGING", b"h", "timeout", id="an input that never ends"),
        pytest.param("HUNGRY", b"m", "MemoryError", id="an input that takes all memory"),
        pytest.param("VANISHING", b"v", "", id="an input that takes the process with it"),
    ],
)
def test_the_fuzzer_finds_a_planted_mistake(planted: str, begin: bytes, said: str, tmp_path: Path) -> None:
    name = f"tests.fuzz.planted:{planted}"
    outcome = fuzz(name, tmp_path, "-seed=1", "-runs=300000", "-timeout=1", seconds=60)
    assert outcome.found is not None
    assert outcome.found.read_bytes().startswith(begin)
    assert said in outcome.said


def test_what_was_found_is_found_when_it_is_played_again(tmp_path: Path) -> None:
    file = tmp_path / "input"
    for content, is_found in ((b"open?!", True), (b"open!?", False)):
        file.write_bytes(content)
        outcome = fuzz("tests.fuzz.planted:RAISING", tmp_path, str(file), seconds=60)
        assert (outcome.found is not None) is is_found


def test_a_fuzzer_that_does_not_start_has_found_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotStartedError, match="NOWHERE"):
        fuzz("tests.fuzz.planted:NOWHERE", tmp_path, seconds=60)
