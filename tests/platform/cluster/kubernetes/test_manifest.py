"""Manifests: the golden files, and what a reader of them relies on.

`GOLDEN=write pytest tests/platform/cluster/kubernetes` writes the golden files. Use it after a
change on purpose, and read what it changed.
"""

import os
from typing import Any

import kubernetes_validate
import pytest
from tests.platform.cluster.kubernetes.manifests import (
    CASES,
    DATA,
    GOLDEN,
    GPU,
    golden,
    objects,
    rendered,
)

from mixfront.cluster.kubernetes.pods import SEARCH_LABEL

CORE_KINDS = ("ConfigMap", "PersistentVolumeClaim", "PodDisruptionBudget")


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    path, text = GOLDEN / f"{case}.yaml", rendered(*CASES[case])
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def pods(case: str) -> dict[str, dict[str, Any]]:
    """The pod templates of a golden file."""
    (ray,) = (item for item in golden(case) if item["apiVersion"] == "ray.io/v1")
    cluster = ray["spec"].get("rayClusterSpec", ray["spec"])
    templates = {
        "head": cluster["headGroupSpec"]["template"],
        "worker": cluster["workerGroupSpecs"][0]["template"],
    }
    submitter = ray["spec"].get("submitterPodTemplate")
    return templates | ({"submitter": submitter} if submitter else {})


@pytest.mark.parametrize("case", CASES)
def test_core_objects_and_pods_are_valid(case: str) -> None:
    version = kubernetes_validate.latest_version()
    for item in golden(case):
        if item["kind"] in CORE_KINDS:
            kubernetes_validate.validate(item, version, strict=True)
    for name, template in pods(case).items():
        pod = {"apiVersion": "v1", "kind": "Pod", **template}
        pod["metadata"] = {"name": name, **pod["metadata"]}
        kubernetes_validate.validate(pod, version, strict=True)


def test_an_unknown_field_is_not_valid() -> None:
    budget = next(i for i in golden("cluster_cpu") if i["kind"] == "PodDisruptionBudget")
    budget["spec"]["minAvailabel"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(budget, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("case", CASES)
def test_every_pod_meets_the_restricted_standard(case: str) -> None:
    for template in pods(case).values():
        pod = template["spec"]["securityContext"]
        assert (pod["runAsNonRoot"], pod["seccompProfile"]["type"]) == (True, "RuntimeDefault")
        for container in template["spec"]["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}


def test_a_worker_pod_has_what_a_trial_asks_for() -> None:
    (container,) = pods("cluster_gpu")["worker"]["spec"]["containers"]
    amounts = {"cpu": "16", "memory": "34Gi", "nvidia.com/gpu": "2"}
    assert container["resources"] == {"requests": amounts, "limits": amounts}


def test_a_fixed_number_of_pods_needs_no_autoscaler() -> None:
    text = rendered(*DATA, "--min-workers", "2", "--max-workers", "2", "--queue", "q")
    cluster = objects(text)["RayCluster"]
    assert cluster["spec"]["enableInTreeAutoscaling"] is False
    assert "autoscalerOptions" not in cluster["spec"]
    assert "annotations" not in cluster["metadata"]


def test_kueue_lets_an_elastic_cluster_autoscale() -> None:
    cluster = objects(rendered(*DATA, "--queue", "q"))["RayCluster"]
    assert cluster["spec"]["autoscalerOptions"]["version"] == "v2"
    assert cluster["metadata"]["annotations"] == {"kueue.x-k8s.io/elastic-job": "true"}
    assert cluster["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "q"


def test_only_the_head_has_the_drivers_credentials() -> None:
    secrets = {
        name: [source["secretRef"]["name"] for source in container.get("envFrom", [])]
        for name, template in pods("job_gpu").items()
        for container in template["spec"]["containers"]
    }
    assert secrets == {"head": ["s3", "tracking"], "worker": ["s3"], "submitter": []}


@pytest.mark.parametrize("case", CASES)
def test_budgets_select_the_pods(case: str) -> None:
    templates = pods(case)
    budgets = [item for item in golden(case) if item["kind"] == "PodDisruptionBudget"]
    assert budgets
    for budget in budgets:
        selector = budget["spec"]["selector"]["matchLabels"]
        node = selector["ray.io/node-type"]  # KubeRay's label
        assert templates[node]["metadata"]["labels"][SEARCH_LABEL] == selector[SEARCH_LABEL]


def test_a_drain_may_take_one_lane_at_a_time() -> None:
    text = rendered(*DATA, *GPU, "--min-workers", "6", "--workers-per-pod", "1")
    budgets = {k: v["spec"]["minAvailable"] for k, v in objects(text).items() if "Budget/" in k}
    assert budgets == {
        "PodDisruptionBudget/kuairand-head": 1,
        "PodDisruptionBudget/kuairand-worker": 4,  # a trial has two workers
    }
