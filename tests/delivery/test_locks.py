"""The lock files: every package with its hashes, no index, no path, and no stranger by our import name."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.delivery.chart import ROOT

LOCKS = sorted([*ROOT.glob("requirements*.lock"), *ROOT.glob("tests/stack/*.lock")])
PACKAGE = re.compile(r"^([a-z0-9][-a-z0-9.]*)==(\S+)(?: ; [^\\]+)? \\$")
HASH = re.compile(r"^ {4}--hash=sha256:[0-9a-f]{64}(?: \\)?$")


def packages(lock: str) -> dict[str, str]:
    """Versions by name."""
    lines = (ROOT / lock).read_text().splitlines()
    return {found[1]: found[2] for found in map(PACKAGE.match, lines) if found}


@pytest.mark.parametrize("lock", [str(lock.relative_to(ROOT)) for lock in LOCKS])
def test_a_lock_holds_pinned_packages_and_their_hashes_alone(lock: str) -> None:
    kept = [line for line in (ROOT / lock).read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in kept if not PACKAGE.match(line) and not HASH.match(line)] == []
    for line, following in zip(kept, [*kept[1:], ""], strict=True):
        assert not PACKAGE.match(line) or HASH.match(following), f"{line} has no hash"


@pytest.mark.parametrize(
    ("lock", "group"),
    [("requirements.lock", ""), ("requirements-build.lock", "build"), ("requirements-dev.lock", "dev")],
)
def test_a_lock_is_not_older_than_what_it_was_made_from(lock: str, group: str) -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = content["dependency-groups"][group] if group else content["project"]["dependencies"]
    locked = packages(lock)
    for requirement in (Requirement(each) for each in wanted if isinstance(each, str)):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in {lock}: run make lock"
        assert requirement.specifier.contains(version), f"{lock} has {requirement.name} {version}: run make lock"


def test_the_locks_agree_about_every_package_that_they_share() -> None:
    everything = packages("requirements-dev.lock")
    for lock in ("requirements.lock", "requirements-build.lock"):
        assert packages(lock).items() <= everything.items()


def test_nothing_pulls_in_the_other_package_that_is_imported_as_watchdog() -> None:
    assert "watchdog" not in packages("requirements-dev.lock")
