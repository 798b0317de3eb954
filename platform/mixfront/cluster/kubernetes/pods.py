"""The pods of a cluster: the head, the workers, and the one that submits a job."""

import math

from mixfront.cluster.kubernetes.options import MOUNT, ManifestOptions
from mixfront.cluster.kubernetes.pod import (
    ClaimReference,
    ConfigMapReference,
    Container,
    EmptyDir,
    EnvironmentSource,
    EnvironmentVariable,
    PodSecurity,
    PodSpec,
    PodTemplate,
    Port,
    Resources,
    SecretReference,
    TemplateMetadata,
    Toleration,
    Volume,
    VolumeMount,
)
from mixfront.cluster.kubernetes.sizing import PodSize

SEARCH_LABEL = "mixfront/cluster"  # of all pods; KubeRay makes up the names of a job's clusters
CACHE = "/var/cache/mixfront"
SEARCH_FOLDER = "/etc/mixfront"  # the spec of a job
_METRICS = Port(container_port=8080, name="metrics")


def head_pod(options: ManifestOptions, memory_mib: int, *, has_autoscaler: bool) -> PodTemplate:
    """The head, where the driver runs; only it gets the credentials of tracking and study.

    Only the autoscaler, which runs next to it, talks to Kubernetes.
    """
    has_search = options.kind == "job"
    container = Container(
        name="ray-head",
        image=options.image,
        resources=equal_resources(options.head_cpus, memory_mib),
        ports=(
            Port(container_port=6379, name="gcs-server"),
            Port(container_port=8265, name="dashboard"),
            _METRICS,
        ),
        env=_environment(),
        env_from=_secrets(options.secret, options.driver_secret),
        volume_mounts=_mounts(options, has_search=has_search),
    )
    return _template(
        options,
        container,
        volumes=_volumes(options, has_search=has_search),
        automount_service_account_token=None if has_autoscaler else False,
    )


def worker_pod(options: ManifestOptions, size: PodSize) -> PodTemplate:
    """A pod for the workers of a lane."""
    gpus = {options.gpu_resource: str(size.gpus)} if size.gpus else {}
    container = Container(
        name="ray-worker",
        image=options.image,
        resources=equal_resources(size.cpus, size.memory_mib, gpus),
        ports=(_METRICS,),
        env=_environment(),
        env_from=_secrets(options.secret),
        volume_mounts=_mounts(options),
    )
    return _template(
        options,
        container,
        volumes=_volumes(options),
        automount_service_account_token=False,
        node_selector=dict([options.gpu_label]) if options.gpu_label and size.gpus else None,
        tolerations=(Toleration(key=options.gpu_resource),) if size.gpus else None,
    )


def submitter_pod(options: ManifestOptions) -> PodTemplate:
    """The pod that sends a job's command to the head and prints its output.

    KubeRay's own template has no security context, which the standard `restricted` refuses.
    """
    container = Container(
        name="ray-job-submitter", image=options.image, resources=equal_resources(0.5, 1024)
    )
    return _template(
        options,
        container,
        automount_service_account_token=False,
        restart_policy="Never",
    )


def equal_resources(cpus: float, memory_mib: int, more: dict[str, str] | None = None) -> Resources:
    """Requests that are also the limits."""
    amounts = {"cpu": _cpu(cpus), "memory": _memory(memory_mib), **(more or {})}
    return Resources(requests=amounts, limits=amounts)


def _template(
    options: ManifestOptions,
    container: Container,
    volumes: tuple[Volume, ...] | None = None,
    **fields: object,
) -> PodTemplate:
    pull = SecretReference(name=options.pull_secret) if options.pull_secret else None
    user = options.user
    return PodTemplate(
        metadata=TemplateMetadata(labels={SEARCH_LABEL: options.name}),
        spec=PodSpec.model_validate(
            {
                "service_account_name": options.service_account,
                "image_pull_secrets": (pull,) if pull else None,
                "security_context": PodSecurity(
                    run_as_user=user, run_as_group=user, fs_group=user
                ),
                "containers": (container,),
                "volumes": volumes,
                **fields,
            }
        ),
    )


def _environment() -> tuple[EnvironmentVariable, ...]:
    return (EnvironmentVariable(name="MIXFRONT_CACHE", value=CACHE),)


def _secrets(*names: str | None) -> tuple[EnvironmentSource, ...] | None:
    sources = [EnvironmentSource(secret_ref=SecretReference(name=name)) for name in names if name]
    return tuple(sources) or None


def _mounts(options: ManifestOptions, *, has_search: bool = False) -> tuple[VolumeMount, ...]:
    mounts = [VolumeMount(name="cache", mount_path=CACHE)]
    if options.volume:
        mounts.append(VolumeMount(name="storage", mount_path=MOUNT))
    if has_search:
        mounts.append(VolumeMount(name="search", mount_path=SEARCH_FOLDER, read_only=True))
    return tuple(mounts)


def _volumes(options: ManifestOptions, *, has_search: bool = False) -> tuple[Volume, ...]:
    volumes = [Volume(name="cache", empty_dir=EmptyDir(size_limit=options.cache_size))]
    if options.volume:
        claim = ClaimReference(claim_name=options.volume.claim)
        volumes.append(Volume(name="storage", persistent_volume_claim=claim))
    if has_search:
        volumes.append(Volume(name="search", config_map=ConfigMapReference(name=options.name)))
    return tuple(volumes)


def _cpu(cpus: float) -> str:
    return f"{cpus:g}" if float(cpus).is_integer() else f"{math.ceil(cpus * 1000)}m"


def _memory(mib: int) -> str:
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"
