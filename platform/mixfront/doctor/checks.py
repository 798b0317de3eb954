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
    look: Callable[[], Finding]
    late: Status = Status.WARNING  # after a timeout, due to a busy machine or a dead server
    remedy_if_late: str = "try again when the machine is less busy, or with a longer --timeout"


_SERVER = "check its address, and whether a firewall blocks it"

CHECKS = (
    Check(name="packages", look=check_packages),
    Check(name="compiler", look=check_compiler),
    Check(name="deepspeed", look=check_deepspeed),
    Check(name="bf16", look=check_bf16),
    Check(name="gpus", look=check_gpus),
    Check(name="ray", look=check_ray),
    Check(name="jobs", look=check_jobs, late=Status.FAILED, remedy_if_late=_SERVER),
    Check(name="mlflow", look=check_mlflow, late=Status.FAILED, remedy_if_late=_SERVER),
    Check(name="storage", look=check_storage, late=Status.FAILED, remedy_if_late=_SERVER),
    Check(name="study", look=check_study_storage, late=Status.FAILED, remedy_if_late=_SERVER),
    Check(name="cache", look=check_cache),
)
