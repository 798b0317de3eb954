"""The objects of Kubernetes itself that we render."""

from typing import Literal

from mixfront.cluster.kubernetes.manifest_part import ManifestPart, Metadata


class ConfigMap(ManifestPart):
    """Files for a pod, not secret."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["ConfigMap"] = "ConfigMap"
    metadata: Metadata
    data: dict[str, str]


class StorageRequest(ManifestPart):
    """The size of a volume."""

    requests: dict[Literal["storage"], str]


class ClaimSpec(ManifestPart):
    """A volume that all pods can write to at once."""

    access_modes: tuple[Literal["ReadWriteMany"]] = ("ReadWriteMany",)
    storage_class_name: str | None = None
    resources: StorageRequest


class PersistentVolumeClaim(ManifestPart):
    """A claim to shared storage."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["PersistentVolumeClaim"] = "PersistentVolumeClaim"
    metadata: Metadata
    spec: ClaimSpec


class LabelSelector(ManifestPart):
    """Selects pods by their labels."""

    match_labels: dict[str, str]


class DisruptionBudgetSpec(ManifestPart):
    """How many pods must stay up while nodes are drained.

    Only a whole `minAvailable` works: Kubernetes does not support `maxUnavailable` and percentages
    for pods whose controller has no scale sub-resource, and RayCluster has none.
    """

    min_available: int
    selector: LabelSelector


class PodDisruptionBudget(ManifestPart):
    """Protects pods from voluntary disruptions, such as a node's upgrade."""

    api_version: Literal["policy/v1"] = "policy/v1"
    kind: Literal["PodDisruptionBudget"] = "PodDisruptionBudget"
    metadata: Metadata
    spec: DisruptionBudgetSpec
