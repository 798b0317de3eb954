"""All checks, in the order of the report."""

from collections.abc import Callable
from dataclasses import dataclass

from mixfront.doctor.compiler import check_compiler
from mixfront.doctor.cpu_op import check_deepspeed
from mixfront.doctor.devices import check_bf16, check_gpus
from mixfront.doctor.finding import Finding, Status
from mixfront.doctor.folders import check_cache, check_storage
from mixfront.doctor.mlflow_server import check_mlflow
from mixfront.doctor.packages import check_packages
from mixfront.doctor.ray_cluster import check_jobs, check_ray
from mixfront.doctor.study_storage import check_study_storage


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that may or may not work."""

    name: str
    run: Callable[[], Finding]
    asks_server: bool = False  # a dead one never answers, and the check times out

    def timed_out(self, seconds: float) -> Finding:
        """What a timeout means: a dead server, or else a busy machine."""
        seen = f"no result within {seconds:g} s"
        if self.asks_server:
            remedy = "check its address, and whether a firewall blocks it"
            return Finding(Status.FAILED, seen, remedy)
        remedy = "try again when the machine is less busy, or with a longer --timeout"
        return Finding(Status.WARNING, seen, remedy)


CHECKS = (
    Check(name="packages", run=check_packages),
    Check(name="compiler", run=check_compiler),
    Check(name="deepspeed", run=check_deepspeed),
    Check(name="bf16", run=check_bf16),
    Check(name="gpus", run=check_gpus),
    Check(name="ray", run=check_ray),
    Check(name="jobs", run=check_jobs, asks_server=True),
    Check(name="mlflow", run=check_mlflow, asks_server=True),
    Check(name="storage", run=check_storage, asks_server=True),
    Check(name="study", run=check_study_storage, asks_server=True),
    Check(name="cache", run=check_cache),
)
