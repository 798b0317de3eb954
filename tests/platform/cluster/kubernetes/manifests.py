"""Renders manifests through the command line, as users do."""

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from mixfront.cli.app import app

GOLDEN = Path(__file__).parent / "golden"
IMAGE = "registry.example/mixfront:0.1.0-cu130"
GPU = ("-o", "trial.gpus_per_worker=1", "-o", "trial.cpus_per_worker=8")
DATA = ("-o", "data.path=s3://logs/kuairand")
# Name of the golden file -> arguments.
CASES: dict[str, tuple[str, ...]] = {
    "cluster_cpu": (*DATA, "--min-workers", "2", "--max-workers", "2"),
    "cluster_gpu": (
        *DATA,
        *GPU,
        *("--namespace", "ranking", "--name", "ranking", "--queue", "research"),
        *("--gpu-type", "NVIDIA-H100-80GB-HBM3", "--min-workers", "2", "--max-workers", "8"),
        *("--storage", "pvc:searches:500Gi", "--storage-class", "nfs", "--secret", "s3"),
    ),
    "job_cpu": (
        *("-o", "data.path=/mnt/mixfront/kuairand", "-o", "tracking.uri=http://mlflow:5000"),
        *("-o", "optuna_storage=postgresql://db/optuna", "--storage", "pvc:searches"),
        *("--kind", "job"),
    ),
    "job_gpu": (
        *DATA,
        *GPU,
        *("--kind", "job", "--storage", "s3://ranking/mixfront", "--queue", "research"),
        *("--gpu-type", "cloud.google.com/gke-accelerator=nvidia-l4", "--workers-per-pod", "1"),
        *("--memory-per-worker", "24Gi", "--secret", "s3", "--driver-secret", "tracking"),
        *("--token-secret", "ray-token", "--pull-secret", "registry"),
        *("--service-account", "ranking", "--cache-size", "200Gi"),
    ),
}


def rendered(*arguments: str) -> str:
    """The standard output of `mixfront cluster manifest kuairand`."""
    command = ["cluster", "manifest", "kuairand", "--image", IMAGE, *arguments]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def objects(text: str) -> dict[str, dict[str, Any]]:
    """The objects of a manifest by kind, and by kind and name if there are several of one."""
    found: dict[str, dict[str, Any]] = {}
    for item in yaml.safe_load_all(text):
        found[item["kind"]] = found[f"{item['kind']}/{item['metadata']['name']}"] = item
    return found


def golden(case: str) -> list[dict[str, Any]]:
    """The objects of a golden file."""
    return list(yaml.safe_load_all((GOLDEN / f"{case}.yaml").read_text("utf-8")))
