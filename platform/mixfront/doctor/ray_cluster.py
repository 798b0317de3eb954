"""Ray: the cluster that the environment names, or one of this machine's own."""

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
    """What `mixfront search run` runs on: the cluster at RAY_ADDRESS, else one of its own."""
    address = os.environ.get(VARIABLE)
    if not address:
        return _local()
    if _is_dashboard(address):
        return skipped(f"{VARIABLE} names a dashboard, which only `mixfront search submit` uses")
    return _as_driver(address)


def check_jobs() -> Finding:
    """What `mixfront search submit` talks to; RAY_API_SERVER_ADDRESS wins, as in Ray."""
    for variable in (JOBS_VARIABLE, VARIABLE):
        if address := os.environ.get(variable):
            if _is_dashboard(address):
                return _over_http(variable, address)
            return skipped(f"{variable} names no dashboard: see the check 'ray'")
    return skipped(f"neither {JOBS_VARIABLE} nor {VARIABLE} is set")


def _is_dashboard(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https")


def _local() -> Finding:
    """Start a cluster of one CPU and end it."""
    require("pandas", "pyarrow", "torch")  # a search here needs more than Ray itself
    import ray

    try:
        ray.init(address="local", num_cpus=1, include_dashboard=False, **_QUIET)
    except Exception as problem:
        return failed(
            f"Ray {ray.__version__} does not start here: {one_line(problem)}",
            "see the logs below /tmp/ray/session_latest/logs; is there room in /tmp and /dev/shm?",
        )
    finally:
        ray.shutdown()
    return ok(f"Ray {ray.__version__} starts on this machine")


def _over_http(variable: str, address: str) -> Finding:
    """Ask the dashboard, as submitting a job does."""
    import requests
    from ray._private.authentication.http_token_authentication import (
        get_auth_headers_if_auth_enabled,
    )

    url = f"{address.rstrip('/')}/api/v0/cluster_metadata"
    try:
        headers = get_auth_headers_if_auth_enabled({})
        answer = requests.get(url, headers=headers, timeout=_ANSWER_S)
    except Exception as problem:  # of the network, or of a token that cannot be read
        return failed(
            f"no answer from {variable}={address}: {type(problem).__name__}",
            f"start the cluster, or correct {variable}: it is the address of Ray's dashboard",
        )
    if answer.status_code in (401, 403):
        return failed(
            f"{variable}={address} refuses us ({answer.status_code})",
            "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's token",
        )
    if not answer.ok:
        return failed(
            f"{variable}={address} answers {answer.status_code} to {urlsplit(url).path}",
            f"correct {variable}: it is the address of Ray's dashboard",
        )
    data = answer.json()["data"]
    return _compared(f"{variable}={address}", data["rayVersion"], data["pythonVersion"])


def _compared(cluster: str, ray_version: str, python_version: str) -> Finding:
    import ray

    theirs = f"Ray {ray_version} and Python {python_version}"
    ours = f"Ray {ray.__version__} and Python {platform.python_version()}"
    if theirs == ours:
        return ok(f"{cluster} runs {theirs}, as here")
    return failed(
        f"{cluster} runs {theirs}, but here are {ours}",
        f"use its versions here: Python {python_version}, pip install ray=={ray_version}",
    )


def _as_driver(address: str) -> Finding:
    """Join the cluster; Ray compares the versions itself, and names both where they differ."""
    import ray

    try:
        ray.init(address=address, **_QUIET)
        have = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray has no hint there
    except Exception as problem:
        return failed(
            f"cannot join {VARIABLE}={address}: {one_line(problem)}",
            f"start the cluster, or correct {VARIABLE}, or unset it to work on this machine",
        )
    finally:
        ray.shutdown()
    return ok(
        f"{VARIABLE}={address} runs Ray {ray.__version__} and Python {platform.python_version()}, "
        f"as here, with {have.get('CPU', 0):g} CPUs and {have.get('GPU', 0):g} GPUs"
    )
