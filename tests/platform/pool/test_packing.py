"""Number of lanes on the nodes of a cluster."""

import pytest

from mixfront.lanes.config import TrialConfig
from mixfront.pool.packing import NodeSize, fitting_lanes


@pytest.mark.parametrize(
    ("nodes", "trial", "lanes"),
    [
        ([NodeSize(cpus=3)], {"workers": 2}, 1),
        ([NodeSize(cpus=3)] * 4, {"cpus_per_worker": 2}, 4),
        ([NodeSize(cpus=3, count=4)], {"cpus_per_worker": 2}, 4),
        ([NodeSize(cpus=3)] * 4, {"workers": 2, "cpus_per_worker": 2}, 2),
        ([NodeSize(cpus=0.3)], {"cpus_per_worker": 0.1}, 3),
        ([NodeSize(cpus=64, gpus=8)], {"workers": 2, "gpus_per_worker": 1}, 4),
        ([NodeSize(cpus=5, gpus=8)], {"workers": 2, "gpus_per_worker": 1}, 2),
        ([NodeSize(cpus=64, gpus=2)], {"gpus_per_worker": 0.5}, 4),
        ([NodeSize(cpus=64, gpus=4)], {"gpus_per_worker": 0.75}, 4),
        ([NodeSize(cpus=64)], {"gpus_per_worker": 1}, 0),
        ([], {}, 0),
    ],
)
def test_lanes_are_counted_node_by_node(
    nodes: list[NodeSize], trial: dict[str, float], lanes: int
) -> None:
    assert fitting_lanes(TrialConfig.model_validate(trial), nodes) == lanes
