"""The request before connecting, with a fake of the one service of Ray's head that it uses."""

import json
import platform
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import grpc
import pytest
from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

from mixfront.cluster import handshake
from mixfront.cluster.handshake import shake_hands
from mixfront.exceptions import LaneError

MESSAGES: Any = gcs_service_pb2  # generated, without types
SERVICES: Any = gcs_service_pb2_grpc
OURS = {"ray_version": version("ray"), "python_version": platform.python_version()}


class _Head(gcs_service_pb2_grpc.InternalKVGcsServiceServicer):
    def __init__(self, value: bytes, refusal: grpc.StatusCode | None) -> None:
        self._value = value
        self._refusal = refusal

    def InternalKVGet(self, request: Any, context: Any) -> Any:
        assert (request.namespace, request.key) == (b"cluster", b"CLUSTER_METADATA")
        if self._refusal is not None:
            context.abort(self._refusal, "InvalidAuthToken")
        return MESSAGES.InternalKVGetReply(value=self._value)


@contextmanager
def head(value: bytes = b"", refusal: grpc.StatusCode | None = None) -> Iterator[str]:
    """A head that answers with a value or refuses; yields its address."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    SERVICES.add_InternalKVGcsServiceServicer_to_server(_Head(value, refusal), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(autouse=True)
def no_authentication(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private.authentication import authentication_utils

    monkeypatch.setattr(authentication_utils, "is_token_auth_enabled", lambda: False)


def refusal(address: str) -> str:
    with pytest.raises(LaneError) as caught:
        shake_hands(address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_cluster_of_the_same_versions_is_fine() -> None:
    with head(json.dumps(OURS).encode()) as address:
        shake_hands(address)


def test_a_cluster_that_does_not_say_its_versions_is_fine() -> None:
    with head() as address:
        shake_hands(address)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"ray_version": "2.9.3"}, "runs Ray 2.9.3 on Python"),
        ({"python_version": "3.12.1"}, "on Python 3.12.1, but this is Ray"),
    ],
)
def test_other_versions_are_refused(other: dict[str, str], words: str) -> None:
    with head(json.dumps(OURS | other).encode()) as address:
        assert words in refusal(address)


def test_another_patch_of_python_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    other = OURS | {"python_version": f"{OURS['python_version'].rsplit('.', 1)[0]}.99"}
    with head(json.dumps(other).encode()) as address:
        assert "on Python" in refusal(address)
        monkeypatch.setenv("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "minor")
        shake_hands(address)


def test_a_wrong_token_is_refused() -> None:
    with head(refusal=grpc.StatusCode.UNAUTHENTICATED) as address:
        assert "refuses the token; check RAY_AUTH_TOKEN" in refusal(address)


def test_a_wrong_address_is_refused() -> None:
    assert refusal("127.0.0.1:9").startswith("no Ray cluster answers at '127.0.0.1:9' (UNAVAIL")


def test_a_host_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(handshake, "RESPONSE_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert "(DEADLINE_EXCEEDED)" in refusal(f"127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("address", ["auto", "local", "ray://head:10001"])
def test_other_addresses_are_left_to_ray(address: str) -> None:
    shake_hands(address)
