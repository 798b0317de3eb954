"""The fields of KubeRay's `RayCluster` and `RayJob` (ray.io/v1, KubeRay 1.7) that we render."""

from typing import Literal

from mixfront.cluster.kubernetes.manifest_part import ManifestPart, Metadata
from mixfront.cluster.kubernetes.pod import ContainerSecurity, PodTemplate, Resources


class AuthOptions(ManifestPart):
    """Token authentication of every Ray API. KubeRay makes the Secret if none is named.

    Tokens that Kubernetes checks (`enableK8sTokenAuth`) are left out: KubeRay does not support
    them for RayJob.
    """

    mode: Literal["token"] = "token"
    secret_name: str | None = None


class AutoscalerOptions(ManifestPart):
    """The autoscaler's container, which runs next to the head."""

    version: Literal["v2"] = "v2"
    idle_timeout_seconds: int
    resources: Resources
    security_context: ContainerSecurity = ContainerSecurity()


class HeadGroup(ManifestPart):
    """The head pod, on which the driver runs."""

    ray_start_params: dict[str, str]
    template: PodTemplate


class WorkerGroup(ManifestPart):
    """Pods for lanes."""

    group_name: str
    replicas: int
    min_replicas: int
    max_replicas: int
    ray_start_params: dict[str, str]
    template: PodTemplate


class RayClusterSpec(ManifestPart):
    """A Ray cluster."""

    ray_version: str
    auth_options: AuthOptions
    enable_in_tree_autoscaling: bool
    autoscaler_options: AutoscalerOptions | None = None
    head_group_spec: HeadGroup
    worker_group_specs: tuple[WorkerGroup, ...]


class RayCluster(ManifestPart):
    """A cluster that stays until it is deleted."""

    api_version: Literal["ray.io/v1"] = "ray.io/v1"
    kind: Literal["RayCluster"] = "RayCluster"
    metadata: Metadata
    spec: RayClusterSpec


class RayJobSpec(ManifestPart):
    """A command on a cluster of its own."""

    entrypoint: str
    submission_mode: Literal["K8sJobMode"] = "K8sJobMode"
    backoff_limit: int
    shutdown_after_job_finishes: Literal[True] = True  # Kueue refuses jobs that keep quota
    ttl_seconds_after_finished: int
    ray_cluster_spec: RayClusterSpec
    submitter_pod_template: PodTemplate


class RayJob(ManifestPart):
    """A search with a cluster of its own, which is deleted when the search ends."""

    api_version: Literal["ray.io/v1"] = "ray.io/v1"
    kind: Literal["RayJob"] = "RayJob"
    metadata: Metadata
    spec: RayJobSpec
