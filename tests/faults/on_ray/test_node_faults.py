"""Nodes that are lost cost their lanes' trials a restart; nodes that join get lanes."""

import pytest
from tests.cluster.services.ray_cluster import NODES, RayCluster
from tests.faults.injections import Faults
from tests.faults.on_ray.conftest import MakeSearch
from tests.faults.on_ray.toy_search import TRIALS, ToySearch, states

from mixfront.records import TrialState

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ANY_NUMBER_OF_LANES = "trial={workers: 2, collective_timeout_s: 6, max_failures: 6}"
TOO_MANY_TRIALS = 1000  # a lane on a node that joins takes a while to start


@pytest.mark.faults(per_run=4)
def test_node_lost(make_search: MakeSearch, faults: Faults, undisturbed_s: float | None) -> None:
    def lose_a_node(search: ToySearch) -> None:
        ip = faults.random.choice(NODES[1:])
        search.cluster.lose(ip)
        search.cluster.add(ip)  # else there would be none to lose the next time

    search = make_search(faults, ANY_NUMBER_OF_LANES)
    trials = search.run(lose_a_node)
    if undisturbed_s is not None:
        faults.cost(search.seconds - undisturbed_s)
    assert states(trials) == {TrialState.COMPLETE: TRIALS}


@pytest.mark.faults(per_run=2)
def test_node_joining(make_search: MakeSearch, cluster: RayCluster, faults: Faults) -> None:
    joining = list(NODES[-faults.count :])
    for ip in joining:
        cluster.lose(ip)

    def join(search: ToySearch) -> None:
        ip = joining.pop()
        search.cluster.add(ip)
        search.wait_until(lambda: ip in search.nodes_used())

    search = make_search(faults, ANY_NUMBER_OF_LANES, f"search.trials={TOO_MANY_TRIALS}")
    trials = search.run(join, interrupt=True)
    assert set(states(trials)) <= {TrialState.COMPLETE, TrialState.INTERRUPTED}
