"""``make fuzz``: each target for a while, going on where the last time ended, and a line on each.

The inputs that led somewhere new, and those that were found, stay in the cache. What was found is played again by
naming it, and becomes a test beside the parser.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.running import CAN_FUZZ, WHY_NOT, Outcome, fuzz, names
from tests.stack.build import cache_dir


def main() -> int:
    """The exit code: 1 when something was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", choices=names(), action="append", help="this one alone")
    parser.add_argument("inputs", nargs="*", type=Path, help="files to play once each, for one target")
    given = parser.parse_args()
    if not CAN_FUZZ:
        parser.error(f"{WHY_NOT}; run it on Linux on x86_64, with a Python from 3.11 to 3.13")
    chosen = given.target or names()
    if given.inputs and len(chosen) != 1:
        parser.error("name the one target that the files are for: --target NAME")
    bound = [str(each.absolute()) for each in given.inputs] or [f"-max_total_time={given.seconds}"]
    outcomes = [_told(fuzz(name, cache_dir() / "fuzz" / name, *bound, seconds=given.seconds)) for name in chosen]
    return int(any(outcome.found is not None for outcome in outcomes))


def _told(outcome: Outcome) -> Outcome:
    print(outcome, flush=True)
    if outcome.found is not None:
        print(f"{outcome.said}\nOnce more: make fuzz TARGET={outcome.target} ARGS={outcome.found}", file=sys.stderr)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
