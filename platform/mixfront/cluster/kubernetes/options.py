"""What a manifest needs to know besides the search spec."""

import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from mixfront.exceptions import UsageError

MOUNT = "/mnt/mixfront"  # shared storage, in every pod
GPU_TYPE_LABEL = "nvidia.com/gpu.product"  # set by NVIDIA's GPU feature discovery
NAME_LENGTH = {"job": 47, "cluster": 53}  # KubeRay's limits
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_QUANTITY = re.compile(r"[1-9]\d*(Ki|Mi|Gi|Ti|Pi)")
_UNITS = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "Ti": 1024**2, "Pi": 1024**3}

Kind = Literal["cluster", "job"]


@dataclass(frozen=True, kw_only=True)
class SharedVolume:
    """A PersistentVolumeClaim at `MOUNT`; with a size, the manifest creates it."""

    claim: str
    size: str | None = None
    storage_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class ManifestOptions:
    """Everything but the spec.

    Raises:
        UsageError: If a name or quantity is not one that Kubernetes accepts.
    """

    image: str
    name: str
    kind: Kind = "cluster"
    namespace: str | None = None
    queue: str | None = None  # Kueue's LocalQueue
    gpu_resource: str = "nvidia.com/gpu"
    gpu_label: tuple[str, str] | None = None  # label of the nodes with the right GPU
    volume: SharedVolume | None = None
    secret: str | None = None  # environment of every pod: credentials of storage and data
    driver_secret: str | None = None  # environment of the head only: tracking server and study
    token_secret: str | None = None
    pull_secret: str | None = None
    service_account: str | None = None
    head_cpus: int = 2
    cache_size: str = "50Gi"
    retries: int = 2  # of a job, each on a new cluster
    user: int = 1000  # of the image
    ray_version: str = ""

    def __post_init__(self) -> None:
        limit = NAME_LENGTH[self.kind]
        if not _NAME.fullmatch(self.name) or len(self.name) > limit:
            raise UsageError(
                f"{self.name!r} is not a valid name of a {self.kind}; use at most {limit} "
                "lower-case letters, digits and '-', starting with a letter: --name NAME"
            )
        for option, name in (
            ("--namespace", self.namespace),
            ("--queue", self.queue),
            ("--secret", self.secret),
            ("--driver-secret", self.driver_secret),
            ("--token-secret", self.token_secret),
            ("--pull-secret", self.pull_secret),
            ("--service-account", self.service_account),
        ):
            if name is not None and not _OBJECT_NAME.fullmatch(name):
                raise UsageError(
                    f"{option} is {name!r}, which is not a name in Kubernetes; use lower-case "
                    "letters, digits, '-' and '.'"
                )
        parse_mib(self.cache_size, "--cache-size")
        if not self.ray_version:
            object.__setattr__(self, "ray_version", version("ray"))


def name_of(search: str) -> str:
    """A name in Kubernetes for a search, such as `kuairand-front` for `KuaiRand_front`."""
    slug = re.sub(r"[^a-z0-9]+", "-", search.lower()).strip("-")
    return slug if slug[:1].isalpha() else f"search-{slug}".rstrip("-")


def parse_mib(quantity: str, option: str) -> int:
    """A quantity of memory, such as "16Gi", in MiB.

    Raises:
        UsageError: If it is not one.
    """
    if not _QUANTITY.fullmatch(quantity):
        raise UsageError(f"{option} is {quantity!r}; write a size such as 512Mi or 16Gi")
    return max(1, round(int(quantity[:-2]) * _UNITS[quantity[-2:]]))


def parse_gpu_type(text: str) -> tuple[str, str]:
    """A node label from "KEY=VALUE", or from the name of a GPU alone."""
    key, equals, value = text.partition("=")
    return (key, value) if equals else (GPU_TYPE_LABEL, text)


def parse_storage(text: str, storage_class: str | None) -> SharedVolume | None:
    """A volume from "pvc:CLAIM" or "pvc:CLAIM:SIZE"; None for a URL such as s3://....

    Raises:
        UsageError: If it is neither.
    """
    if "://" in text and not text.startswith(("file://", "local://")):
        return None
    kind, _, rest = text.partition(":")
    claim, _, size = rest.partition(":")
    if kind != "pvc" or not _OBJECT_NAME.fullmatch(claim):
        raise UsageError(
            f"--storage is {text!r}; write a URL such as s3://bucket/mixfront, pvc:CLAIM for an "
            "existing claim, or pvc:CLAIM:500Gi to create one"
        )
    if size:
        parse_mib(size, "the size in --storage")
    return SharedVolume(claim=claim, size=size or None, storage_class=storage_class)
