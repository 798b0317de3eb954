"""Renders the manifest of a cluster or a job for a search."""

from typing import TYPE_CHECKING, Any

import yaml

from mixfront.cluster.job_package import SPEC
from mixfront.cluster.kubernetes.core_objects import (
    ClaimSpec,
    ConfigMap,
    DisruptionBudgetSpec,
    LabelSelector,
    PersistentVolumeClaim,
    PodDisruptionBudget,
    StorageRequest,
)
from mixfront.cluster.kubernetes.manifest_part import ManifestPart, Metadata
from mixfront.cluster.kubernetes.options import ManifestOptions
from mixfront.cluster.kubernetes.pods import (
    SEARCH_FOLDER,
    SEARCH_LABEL,
    equal_resources,
    head_pod,
    submitter_pod,
    worker_pod,
)
from mixfront.cluster.kubernetes.ray_objects import (
    AuthOptions,
    AutoscalerOptions,
    HeadGroup,
    RayCluster,
    RayClusterSpec,
    RayJob,
    RayJobSpec,
    WorkerGroup,
)
from mixfront.cluster.kubernetes.search_files import search_files
from mixfront.cluster.kubernetes.sizing import PodSize, head_memory_mib, max_lanes

if TYPE_CHECKING:
    from mixfront.lanes.config import TrialConfig
    from mixfront.spec.search_spec import SearchSpec

IDLE_S = 300  # before an idle pod is removed; a new lane takes about a minute to warm up
KEEP_S = 600  # a finished job's cluster and logs
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
ELASTIC = {"kueue.x-k8s.io/elastic-job": "true"}  # Kueue refuses autoscaling without it
ENTRYPOINT = f"python -m mixfront.cluster.kubernetes.run_or_resume {SEARCH_FOLDER}/{SPEC}"


def render(spec: "SearchSpec", options: ManifestOptions, size: PodSize) -> list[ManifestPart]:
    """The objects to apply, in order.

    Raises:
        SpecError: If a job's pods cannot access what the spec names.
    """
    objects: list[ManifestPart] = [*_claims(options)]
    cluster = _cluster_spec(spec.trial, options, size)
    metadata = _metadata(options, size)
    if options.kind == "job":
        files = search_files(spec, options)
        objects += [
            ConfigMap(metadata=_named(options, options.name), data=files),
            RayJob(metadata=metadata, spec=_job_spec(cluster, options)),
        ]
    else:
        objects.append(RayCluster(metadata=metadata, spec=cluster))
    return [*objects, *_budgets(spec.trial, options, size)]


def to_yaml(objects: list[ManifestPart], comment: str) -> str:
    """The objects as one YAML file that begins with a comment."""
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    documents = [
        yaml.dump(part.to_manifest(), Dumper=_Dumper, sort_keys=False, width=99)
        for part in objects
    ]
    return "\n".join(lines) + "\n---\n" + "---\n".join(documents)


def describe(options: ManifestOptions, size: PodSize, trial: "TrialConfig") -> str:
    """What the manifest needs and does, in a few lines."""
    gpus = f", {size.gpus} x {options.gpu_resource}" if size.gpus else ""
    pods = f"{size.min_pods} to {size.max_pods}" if size.is_elastic else str(size.max_pods)
    lines = [
        "Rendered by `mixfront cluster manifest` for KubeRay 1.7; for `kubectl apply -f`.",
        f"Worker pods: {pods}, with {size.cpus:g} CPUs{gpus}; lanes at most: "
        f"{max_lanes(trial, size)}.",
    ]
    secrets = {
        "credentials of storage and data, for every pod": options.secret,
        "MLFLOW_TRACKING_URI, OPTUNA_STORAGE and their credentials": options.driver_secret,
        "auth_token, Ray's token": options.token_secret,
    }
    lines += [f"Needs Secret {name}: {keys}." for keys, name in secrets.items() if name]
    if (volume := options.volume) is not None:
        lines.append(
            f"`kubectl delete -f` also deletes the claim {volume.claim}, with every search in it."
            if volume.size
            else f"Needs PersistentVolumeClaim {volume.claim} (ReadWriteMany)."
        )
    if options.queue:
        gate = ", with the feature gate ElasticJobsViaWorkloadSlices" if size.is_elastic else ""
        lines.append(f"Needs Kueue{gate}, and its LocalQueue {options.queue}.")
    return "\n".join(lines)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _cluster_spec(trial: "TrialConfig", options: ManifestOptions, size: PodSize) -> RayClusterSpec:
    return RayClusterSpec(
        ray_version=options.ray_version,
        auth_options=AuthOptions(secret_name=options.token_secret),
        enable_in_tree_autoscaling=size.is_elastic,
        autoscaler_options=_autoscaler() if size.is_elastic else None,
        head_group_spec=HeadGroup(
            # For Tune's trial actors, which take a hundredth of a CPU each.
            ray_start_params={"num-cpus": "1"},
            template=head_pod(
                options, head_memory_mib(trial, size), has_autoscaler=size.is_elastic
            ),
        ),
        worker_group_specs=(
            WorkerGroup(
                group_name="lanes",
                replicas=size.min_pods,
                min_replicas=size.min_pods,
                max_replicas=size.max_pods,
                ray_start_params={},
                template=worker_pod(options, size),
            ),
        ),
    )


def _autoscaler() -> AutoscalerOptions:
    return AutoscalerOptions(
        idle_timeout_seconds=IDLE_S,
        resources=equal_resources(0.5, 1024),
    )


def _job_spec(cluster: RayClusterSpec, options: ManifestOptions) -> RayJobSpec:
    return RayJobSpec(
        entrypoint=ENTRYPOINT,
        backoff_limit=options.retries,
        ttl_seconds_after_finished=KEEP_S,
        ray_cluster_spec=cluster,
        submitter_pod_template=submitter_pod(options),
    )


def _claims(options: ManifestOptions) -> list[PersistentVolumeClaim]:
    volume = options.volume
    if volume is None or volume.size is None:
        return []
    spec = ClaimSpec(
        storage_class_name=volume.storage_class,
        resources=StorageRequest(requests={"storage": volume.size}),
    )
    return [PersistentVolumeClaim(metadata=_named(options, volume.claim), spec=spec)]


def _budgets(
    trial: "TrialConfig", options: ManifestOptions, size: PodSize
) -> list[PodDisruptionBudget]:
    """The head is not moved; of the pods that always run, those of one lane at a time may be."""
    lane = -(-trial.workers // size.workers)
    protected = {"head": 1, "worker": size.min_pods - lane}
    return [
        PodDisruptionBudget(
            metadata=_named(options, f"{options.name}-{node}"),
            spec=DisruptionBudgetSpec(
                min_available=pods,
                selector=LabelSelector(
                    match_labels={SEARCH_LABEL: options.name, "ray.io/node-type": node}
                ),
            ),
        )
        for node, pods in protected.items()
        if pods > 0
    ]


def _metadata(options: ManifestOptions, size: PodSize) -> Metadata:
    plain = _named(options, options.name)
    if options.queue is None:
        return plain
    labels = (plain.labels or {}) | {QUEUE_LABEL: options.queue}
    annotations = ELASTIC if size.is_elastic else None
    return plain.model_copy(update={"labels": labels, "annotations": annotations})


def _named(options: ManifestOptions, name: str) -> Metadata:
    return Metadata(
        name=name, namespace=options.namespace, labels={"app.kubernetes.io/part-of": "mixfront"}
    )
