"""``make bench``: switches on a real control plane, and the table of how long they took.

Law: what is compared is interleaved, so that whatever else the machine does hits both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from bench.banks import Bank, create_banks
from bench.switching import idle_tick, observation, pair
from tests.stack.build import PartUnavailableError
from tests.stack.folders import run_folder
from tests.stack.kubernetes import ControlPlane, start_control_plane
from watchdog.cluster.client import Cluster

MOST_ROLLBACKS = 200  # the simulated nodes have room for a thousand pods


@dataclass(slots=True)
class Results:
    """Seconds, a list a kind; ``floor`` and ``watchdog`` belong together pair by pair."""

    floor: list[float] = field(default_factory=list)
    watchdog: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    observations: list[float] = field(default_factory=list)
    quiet_observations: list[float] = field(default_factory=list)
    idle_ticks: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times the floor the watchdog takes, pair by pair."""
        return [watchdog / floor for floor, watchdog in zip(self.floor, self.watchdog, strict=True)]


async def measure(plane: ControlPlane, rollbacks: int) -> Results:
    """One pair a bank, in alternating order; a first bank is for what happens once a server."""
    first, *banks = create_banks(plane, 1 + rollbacks)
    async with await Cluster.connect(plane.kubeconfig, None) as cluster:
        await _measure_bank(cluster, first, Results(), floor_first=True)
        results = Results()
        for number, bank in enumerate(banks):
            await _measure_bank(cluster, bank, results, floor_first=number % 2 == 0)
    return results


async def _measure_bank(cluster: Cluster, bank: Bank, results: Results, *, floor_first: bool) -> None:
    results.observations.append(await observation(cluster, bank))
    results.quiet_observations.append(await observation(cluster, bank))
    results.idle_ticks.append(await idle_tick(cluster, bank))
    floor, switch = await pair(cluster, bank, floor_first=floor_first)
    results.floor.append(floor)
    results.watchdog.append(switch.verified)
    results.written.append(switch.written)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed."""
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def table(results: Results) -> str:
    """The results, as people read them."""
    rows = [
        ("a bare PATCH of each, then polling: the floor", results.floor),
        ("the watchdog, at its own pace", results.watchdog),
        ("  of it until both Services are written", results.written),
        ("one observation (4 LISTs, a GET) after a write", results.observations),
        ("  at once again, nothing written meanwhile", results.quiet_observations),
        ("one tick in which nothing fires", results.idle_ticks),
    ]
    lines = [
        "Switch of two Services, from the decision until only good endpoints are seen; the parts of a tick below.",
        "",
        f"{'milliseconds':<48}{'p50':>9}{'p99':>9}{'n':>6}",
    ]
    for name, values in rows:
        lines.append(f"{name:<48}{_ms(values, 0.5)}{_ms(values, 0.99)}{len(values):>6}")
    ratios = results.ratios
    lines += [
        "",
        f"watchdog / floor, pair by pair: median {statistics.median(ratios):.2f}, p99 {percentile(ratios, 0.99):.2f}",
        "A LIST may wait 100 ms after a write of another kind, until the API server's cache has caught up.",
    ]
    return "\n".join(lines)


def _ms(values: Sequence[float], share: float) -> str:
    return f"{percentile(values, share) * 1000:>9.1f}"


def machine(plane: ControlPlane) -> str:
    """What the numbers depend on."""
    kubernetes = plane.admin.get("/version")["gitVersion"]
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}), load {os.getloadavg()[0]:.1f}; {platform.system()} "
        f"{platform.release()}; Python {platform.python_version()}; Kubernetes {kubernetes}; "
        f"client {version('kubernetes')}, aiohttp {version('aiohttp')}"
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="How long a switch takes on a real control plane."
    )
    parser.add_argument("--rollbacks", type=int, default=100, metavar="N", help=f"1 to {MOST_ROLLBACKS}; 100")
    rollbacks: int = parser.parse_args().rollbacks
    if not 1 <= rollbacks <= MOST_ROLLBACKS:
        parser.error(f"N has to be 1 to {MOST_ROLLBACKS}")
    with run_folder() as folder:
        try:
            plane = start_control_plane(folder)
        except PartUnavailableError as error:
            sys.exit(f"Kubernetes is not to be had: {error}")
        try:
            print(f"{table(asyncio.run(measure(plane, rollbacks)))}\n{machine(plane)}")
        finally:
            plane.stop()


if __name__ == "__main__":
    main()
