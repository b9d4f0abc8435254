"""The simulated API server names its groups, and those of others it does not have."""

from watchdog.cluster.autoscalers import read_others
from watchdog.cluster.client import Cluster
from watchdog.core.others import Others
from watchdog.sim.world import SimulatedWorld


async def test_nobody_else_scales_in_the_simulation_and_nothing_is_unseen() -> None:
    async with (
        SimulatedWorld(active="green", history=0) as world,
        await Cluster.connect(world.kubeconfig, None) as cluster,
    ):
        assert await read_others(cluster, "banking-app") == Others()
