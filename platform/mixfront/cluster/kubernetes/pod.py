"""The fields of pods that we render."""

from typing import Literal

from mixfront.cluster.kubernetes.manifest_part import ManifestPart


class Resources(ManifestPart):
    """Requests and limits of a container; equal ones, so that the pod is evicted last."""

    requests: dict[str, str]
    limits: dict[str, str]


class EnvironmentVariable(ManifestPart):
    """A variable whose value is not secret."""

    name: str
    value: str


class SecretReference(ManifestPart):
    """The name of a Secret in the same namespace."""

    name: str


class EnvironmentSource(ManifestPart):
    """A Secret whose keys become environment variables."""

    secret_ref: SecretReference


class Port(ManifestPart):
    """A named port of a container."""

    container_port: int
    name: str


class VolumeMount(ManifestPart):
    """A volume's place in a container."""

    name: str
    mount_path: str
    read_only: bool | None = None


class EmptyDir(ManifestPart):
    """A folder on the node's disk; it is deleted with the pod."""

    size_limit: str


class ClaimReference(ManifestPart):
    """The name of a PersistentVolumeClaim in the same namespace."""

    claim_name: str


class ConfigMapReference(ManifestPart):
    """The name of a ConfigMap in the same namespace."""

    name: str


class Volume(ManifestPart):
    """One volume; exactly one source is set."""

    name: str
    empty_dir: EmptyDir | None = None
    persistent_volume_claim: ClaimReference | None = None
    config_map: ConfigMapReference | None = None


class Capabilities(ManifestPart):
    """Linux capabilities of a container."""

    drop: tuple[str, ...]


class ContainerSecurity(ManifestPart):
    """What a container may do: as little as the Pod Security Standard `restricted` demands."""

    allow_privilege_escalation: bool = False
    capabilities: Capabilities = Capabilities(drop=("ALL",))


class SeccompProfile(ManifestPart):
    """The filter of system calls."""

    type: Literal["RuntimeDefault"] = "RuntimeDefault"


class PodSecurity(ManifestPart):
    """The user of all containers; `fs_group` makes volumes writable for it."""

    run_as_non_root: bool = True
    run_as_user: int
    run_as_group: int
    fs_group: int
    fs_group_change_policy: Literal["OnRootMismatch"] = "OnRootMismatch"
    seccomp_profile: SeccompProfile = SeccompProfile()


class Container(ManifestPart):
    """A container of a pod."""

    name: str
    image: str
    resources: Resources
    ports: tuple[Port, ...] | None = None
    env: tuple[EnvironmentVariable, ...] | None = None
    env_from: tuple[EnvironmentSource, ...] | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    security_context: ContainerSecurity = ContainerSecurity()


class Toleration(ManifestPart):
    """A taint that the pod accepts."""

    key: str
    operator: Literal["Exists"] = "Exists"
    effect: Literal["NoSchedule"] = "NoSchedule"


class PodSpec(ManifestPart):
    """A pod."""

    service_account_name: str | None = None
    automount_service_account_token: bool | None = None
    image_pull_secrets: tuple[SecretReference, ...] | None = None
    security_context: PodSecurity
    node_selector: dict[str, str] | None = None
    tolerations: tuple[Toleration, ...] | None = None
    restart_policy: Literal["Never"] | None = None
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] | None = None


class TemplateMetadata(ManifestPart):
    """Labels of a template's pods; the operator names them."""

    labels: dict[str, str]


class PodTemplate(ManifestPart):
    """What the operator makes pods from."""

    metadata: TemplateMetadata
    spec: PodSpec
