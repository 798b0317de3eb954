"""One request to a Ray cluster before connecting to it: is it there, is it ours, does it match.

`ray.init` itself takes 21 s to notice a wrong token and more than 80 s for a wrong address (Ray
2.60), and prints a line per second; this request is answered or refused within milliseconds.
"""

import json
import os
import platform
from importlib.metadata import version
from typing import Any

from mixfront.exceptions import LaneError

RESPONSE_S = 8.0  # limit for a host that does not answer at all


def shake_hands(address: str) -> None:
    """Check that a cluster answers, accepts the token, and has the versions of this process.

    Args:
        address: "host:port" of the cluster's head. Any other address, such as "auto", is left to
            Ray.

    Raises:
        LaneError: If it cannot be used; one sentence.
    """
    if "://" in address or ":" not in address:
        return
    facts = json.loads(_metadata(address) or b"{}")
    theirs = facts.get("ray_version", ""), facts.get("python_version", "")
    ours = version("ray"), platform.python_version()
    if facts and (theirs[0] != ours[0] or _compared(theirs[1]) != _compared(ours[1])):
        raise LaneError(
            f"the Ray cluster at {address!r} runs Ray {theirs[0]} on Python {theirs[1]}, but this "
            f"is Ray {ours[0]} on Python {ours[1]}; use the cluster's versions here, or submit "
            "the search as a job with `mixfront search submit`"
        )


def _compared(python: str) -> str:
    """The part of a Python version that Ray compares."""
    level = os.environ.get("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "patch")
    return python.rsplit(".", 1)[0] if level == "minor" else python


def _metadata(address: str) -> bytes:
    """What the cluster says about its versions, as JSON; empty if it says nothing."""
    import grpc
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
    from ray.exceptions import AuthenticationError

    messages: Any = gcs_service_pb2  # generated, without types
    services: Any = gcs_service_pb2_grpc
    request = messages.InternalKVGetRequest(namespace=b"cluster", key=b"CLUSTER_METADATA")
    try:
        with init_grpc_channel(address) as channel:
            stub = services.InternalKVGcsServiceStub(channel)
            return bytes(stub.InternalKVGet(request, timeout=RESPONSE_S).value)
    except AuthenticationError:
        raise LaneError(
            f"the Ray cluster at {address!r} needs a token and none is set; set RAY_AUTH_TOKEN"
        ) from None
    except grpc.RpcError as error:
        raise _refusal(address, error) from None


def _refusal(address: str, error: object) -> LaneError:
    code = str(getattr(error, "code", lambda: "")()).removeprefix("StatusCode.")
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return LaneError(
            f"the Ray cluster at {address!r} refuses the token; check RAY_AUTH_TOKEN, "
            "RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"
        )
    return LaneError(
        f"no Ray cluster answers at {address!r} ({code}); check RAY_ADDRESS, or unset it to use "
        "this machine"
    )
