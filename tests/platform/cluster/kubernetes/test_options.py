"""Names and quantities of manifests."""

from typing import Any

import pytest

from mixfront.cluster.kubernetes.options import (
    ManifestOptions,
    SharedVolume,
    name_of,
    parse_gpu_type,
    parse_mib,
    parse_storage,
)
from mixfront.exceptions import UsageError


@pytest.mark.parametrize(
    ("search", "name"),
    [
        ("kuairand-front", "kuairand-front"),
        ("KuaiRand_front.v2", "kuairand-front-v2"),
        ("2026-q1-", "search-2026-q1"),
    ],
)
def test_names_of_searches(search: str, name: str) -> None:
    assert name_of(search) == name
    ManifestOptions(image="i", name=name)


@pytest.mark.parametrize(
    ("text", "mib"), [("512Mi", 512), ("2Gi", 2048), ("1Ti", 1024**2), ("2048Ki", 2)]
)
def test_sizes(text: str, mib: int) -> None:
    assert parse_mib(text, "--size") == mib


@pytest.mark.parametrize("text", ["16", "16G", "0Gi", "16 Gi", "-1Gi", "lots"])
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="write a size such as 512Mi or 16Gi"):
        parse_mib(text, "--size")


def test_gpu_types() -> None:
    assert parse_gpu_type("NVIDIA-L4") == ("nvidia.com/gpu.product", "NVIDIA-L4")
    assert parse_gpu_type("a.b/c=d") == ("a.b/c", "d")


def test_storage() -> None:
    assert parse_storage("s3://bucket/searches", None) is None
    assert parse_storage("pvc:data", None) == SharedVolume(claim="data")
    created = SharedVolume(claim="data", size="5Gi", storage_class="nfs")
    assert parse_storage("pvc:data:5Gi", "nfs") == created


@pytest.mark.parametrize("text", ["./searches", "pvc:", "pvc:Data", "file:///searches"])
def test_storage_that_pods_do_not_share(text: str) -> None:
    with pytest.raises(UsageError, match="write a URL such as s3://bucket/mixfront, pvc:CLAIM"):
        parse_storage(text, None)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "Front"}, "'Front' is not a valid name of a cluster"),
        ({"name": "1st"}, "starting with a letter"),
        ({"name": "a" * 48, "kind": "job"}, "use at most 47"),
        ({"name": "a" * 54}, "use at most 53"),
        ({"name": "a", "secret": "S3 keys"}, "--secret is 'S3 keys'"),
        ({"name": "a", "cache_size": "1GB"}, "--cache-size is '1GB'"),
    ],
)
def test_mistakes(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        ManifestOptions(image="i", **fields)
