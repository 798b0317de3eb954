"""Checks Ray: the cluster set in the environment, or a local one."""

import logging
import os
import platform
from typing import Any
from urllib.parse import urlsplit

from mixfront.doctor.finding import Finding, failed, ok, one_line, skipped
from mixfront.doctor.needs import require

JOBS_VARIABLE, VARIABLE = "RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"
_ANSWER_S = 5.0
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}


def check_ray() -> Finding:
    """Check the cluster of `mixfront search run`: the one at RAY_ADDRESS, or a local one."""
    address = os.environ.get(VARIABLE)
    if not address:
        return _local()
    if _is_dashboard(address):
        return skipped(f"{VARIABLE} is a dashboard's address, for `mixfront search submit` only")
    return _as_driver(address)


def check_jobs() -> Finding:
    """Check the dashboard of `mixfront search submit`; RAY_API_SERVER_ADDRESS wins, as in Ray."""
    for variable in (JOBS_VARIABLE, VARIABLE):
        if address := os.environ.get(variable):
            if _is_dashboard(address):
                return _over_http(variable, address)
            return skipped(f"{variable} is not a dashboard's address; see the check 'ray'")
    return skipped(f"neither {JOBS_VARIABLE} nor {VARIABLE} is set")


def _is_dashboard(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https")


def _local() -> Finding:
    """Start a local cluster with one CPU, and stop it."""
    require("pandas", "pyarrow", "torch")  # a local search also needs these
    import ray

    try:
        ray.init(address="local", num_cpus=1, include_dashboard=False, **_QUIET)
    except Exception as problem:
        return failed(
            f"Ray {ray.__version__} does not start on this machine: {one_line(problem)}",
            "see /tmp/ray/session_latest/logs, and check for free space in /tmp and /dev/shm",
        )
    finally:
        ray.shutdown()
    return ok(f"Ray {ray.__version__} starts on this machine")


def _over_http(variable: str, address: str) -> Finding:
    """Query the dashboard over HTTP, as a job submission does."""
    import requests
    from ray._private.authentication.http_token_authentication import (
        get_auth_headers_if_auth_enabled,
    )

    url = f"{address.rstrip('/')}/api/v0/cluster_metadata"
    try:
        headers = get_auth_headers_if_auth_enabled({})
        response = requests.get(url, headers=headers, timeout=_ANSWER_S)
    except Exception as problem:  # a network error, or a token that cannot be read
        return failed(
            f"no response from {variable}={address}: {type(problem).__name__}",
            f"start the cluster, or correct {variable}, which must be Ray's dashboard address",
        )
    if response.status_code in (401, 403):
        return failed(
            f"{variable}={address} refuses access ({response.status_code})",
            "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's token",
        )
    if not response.ok:
        return failed(
            f"{variable}={address} returns {response.status_code} for {urlsplit(url).path}",
            f"correct {variable}, which must be the address of Ray's dashboard",
        )
    data = response.json()["data"]
    return _compare_versions(f"{variable}={address}", data["rayVersion"], data["pythonVersion"])


def _compare_versions(cluster: str, ray_version: str, python_version: str) -> Finding:
    import ray

    theirs = f"Ray {ray_version} and Python {python_version}"
    ours = f"Ray {ray.__version__} and Python {platform.python_version()}"
    if theirs == ours:
        return ok(f"{cluster} runs {theirs}, the same as this machine")
    return failed(
        f"{cluster} runs {theirs}, but this machine has {ours}",
        f"use the same versions: Python {python_version}, pip install ray=={ray_version}",
    )


def _as_driver(address: str) -> Finding:
    """Join the cluster; Ray itself compares the versions, and reports both if they differ."""
    import ray

    try:
        ray.init(address=address, **_QUIET)
        total = ray.cluster_resources()  # type: ignore[no-untyped-call]  # untyped in Ray
    except Exception as problem:
        return failed(
            f"cannot join {VARIABLE}={address}: {one_line(problem)}",
            f"start the cluster, or correct {VARIABLE}, or unset it to work on this machine",
        )
    finally:
        ray.shutdown()
    return ok(
        f"{VARIABLE}={address} runs Ray {ray.__version__} and Python {platform.python_version()}, "
        f"as does this machine, and has {total.get('CPU', 0):g} CPUs and "
        f"{total.get('GPU', 0):g} GPUs"
    )
