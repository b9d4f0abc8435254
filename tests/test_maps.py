"""The maps that a newcomer is given name all that there is, and nothing that is gone."""

import re
from pathlib import Path

import pytest

import watchdog
from watchdog import election, rulefiles, watch
from watchdog.core import rules

PRODUCT = Path(watchdog.__file__).parent
CONTRIBUTING = PRODUCT.parent / "CONTRIBUTING.md"
NO_PART = {"__init__", "__main__", "__pycache__"}
WORD = re.compile(r"`([a-z_]+)`")


def parts_of(folder: Path) -> set[str]:
    """The modules and packages of a folder."""
    return {each.stem for each in folder.iterdir() if each.suffix == ".py" or each.is_dir()} - NO_PART


def where_things_are() -> str:
    """The chapter of CONTRIBUTING.md."""
    _, _, rest = CONTRIBUTING.read_text(encoding="utf-8").partition("## Where things are\n")
    return rest.partition("\n## ")[0]


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        pytest.param(where_things_are(), PRODUCT, id="CONTRIBUTING.md"),
        pytest.param(rules.__doc__ or "", PRODUCT / "core" / "rules", id="the rule language"),
        pytest.param(watch.__doc__ or "", PRODUCT / "watch", id="the watch"),
        pytest.param(election.__doc__ or "", PRODUCT / "election", id="the election"),
        pytest.param(rulefiles.__doc__ or "", PRODUCT / "rulefiles", id="the rule files"),
    ],
)
def test_a_map_names_what_there_is_and_nothing_else(text: str, folder: Path) -> None:
    assert set(WORD.findall(text)) == parts_of(folder)
