"""What is refused before a search is submitted, with a fake dashboard."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pytest

from mixfront.cluster.suitability import ClusterFacts, refuse_unsuitable
from mixfront.exceptions import ClusterError
from mixfront.lanes.config import TrialConfig

ADDRESS = "http://head:8265"
NODES = ({"CPU": 8.0}, {"CPU": 8.0, "GPU": 2.0})


@dataclass
class _Response:
    status_code: int
    data: Any

    def json(self) -> dict[str, Any]:
        return {"data": self.data}


class _Dashboard:
    """Answers some paths, the others with 404."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    def _do_request(self, method: str, path: str) -> _Response:
        assert method == "GET"
        known = path in self._answers
        return _Response(200 if known else 404, self._answers.get(path))


def fixed(*nodes: dict[str, float]) -> ClusterFacts:
    return ClusterFacts(nodes=nodes, is_fixed=True)


def refusal(facts: ClusterFacts, **trial: Any) -> str:
    with pytest.raises(ClusterError) as caught:
        refuse_unsuitable(facts, TrialConfig(**trial), ADDRESS)
    return str(caught.value)


def test_gpus_that_nobody_can_give_are_refused() -> None:
    message = refusal(fixed({"CPU": 8.0}, {"CPU": 8.0}), workers=2, gpus_per_worker=1)
    assert "2 workers with 1 CPUs and 1 GPUs each" in message
    assert "2 nodes with 16 CPUs and 0 GPUs in all, and cannot grow" in message


@pytest.mark.parametrize(
    ("nodes", "trial"),
    [
        (NODES, {"workers": 3, "gpus_per_worker": 1}),
        (({"CPU": 3.0},) * 4, {"workers": 2, "cpus_per_worker": 4}),  # no node has 4 CPUs
        (({"CPU": 3.0},) * 2, {"workers": 3, "cpus_per_worker": 2}),  # 6 CPUs, room for 2
        (({"CPU": 4.0, "GPU": 1.0},) * 2, {"workers": 1, "gpus_per_worker": 2}),
    ],
)
def test_a_lane_that_does_not_fit_is_refused(
    nodes: tuple[dict[str, float], ...], trial: dict[str, Any]
) -> None:
    assert "cannot grow" in refusal(fixed(*nodes), **trial)


@pytest.mark.parametrize(
    ("nodes", "trial"),
    [
        (NODES, {"workers": 2, "gpus_per_worker": 1}),
        (({"CPU": 1.0},) * 3, {"workers": 2}),
        ((), {"workers": 2, "gpus_per_worker": 8}),  # the dashboard does not say
    ],
)
def test_a_lane_that_fits_is_not_refused(
    nodes: tuple[dict[str, float], ...], trial: dict[str, Any]
) -> None:
    refuse_unsuitable(fixed(*nodes), TrialConfig(**trial), ADDRESS)


def test_a_cluster_that_can_grow_is_not_refused() -> None:
    facts = ClusterFacts(nodes=({"CPU": 1.0},))
    refuse_unsuitable(facts, TrialConfig(workers=2, gpus_per_worker=1), ADDRESS)


def test_another_ray_is_refused() -> None:
    message = refusal(ClusterFacts(ray_version="2.9.3", python_version="3.11.7"))
    needed = ".".join(version("ray").split(".")[:2])
    assert message.startswith(f"the cluster at {ADDRESS} runs Ray 2.9.3, but")
    assert f"needs Ray {needed};" in message


def test_an_old_python_is_refused() -> None:
    message = refusal(ClusterFacts(ray_version=version("ray"), python_version="3.10.1"))
    assert "runs Python 3.10.1, but mixfront needs Python 3.11 or newer" in message


@pytest.mark.parametrize("python", ["3.11.0", "3.12.9", None])
def test_a_newer_python_is_fine(python: str | None) -> None:
    refuse_unsuitable(
        ClusterFacts(ray_version=version("ray"), python_version=python), TrialConfig(), ADDRESS
    )


@pytest.mark.parametrize(("kind", "is_fixed"), [("node_a1", True), ("ray.head.default", False)])
def test_facts_are_read_from_the_dashboard(kind: str, is_fixed: bool) -> None:
    nodes = [
        {"state": "ALIVE", "resources_total": {"CPU": 4.0}},
        {"state": "DEAD", "resources_total": {"CPU": 64.0}},
    ]
    report = {"autoscalerReport": {"nodeTypeMapping": {"a1": kind}}}
    dashboard = _Dashboard(
        {
            "/api/v0/cluster_metadata": {"rayVersion": "2.60.0", "pythonVersion": "3.12.1"},
            "/api/v0/nodes?detail=1": {"result": {"result": nodes}},
            "/api/cluster_status": {"clusterStatus": report},
        }
    )
    assert ClusterFacts.read(dashboard) == ClusterFacts(
        ray_version="2.60.0", python_version="3.12.1", nodes=({"CPU": 4.0},), is_fixed=is_fixed
    )


def test_a_dashboard_that_says_nothing_refuses_nothing() -> None:
    silent = _Dashboard({"/api/cluster_status": {"clusterStatus": None}})
    assert ClusterFacts.read(silent) == ClusterFacts()
    refuse_unsuitable(ClusterFacts(), TrialConfig(workers=2, gpus_per_worker=1), ADDRESS)
