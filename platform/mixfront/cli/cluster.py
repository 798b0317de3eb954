"""`mixfront cluster manifest`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixfront.cli.options import Override, SpecSource
from mixfront.exceptions import UsageError

if TYPE_CHECKING:
    from mixfront.spec.search_spec import SearchSpec

cluster_app = typer.Typer(
    name="cluster", help="Clusters for searches on Kubernetes.", no_args_is_help=True
)

FROM_SECRET = "postgresql://set-in-the-secret"  # until a driver reads the real URI there


class Kind(StrEnum):
    """What to render."""

    CLUSTER = "cluster"
    JOB = "job"


def register(app: typer.Typer) -> None:
    """Add the group to the app."""
    cluster_app.command("manifest")(manifest)
    app.add_typer(cluster_app)


@cluster_app.callback()
def _group() -> None:
    """Clusters for searches on Kubernetes."""


def manifest(
    spec: SpecSource,
    image: Annotated[
        str, typer.Option(help="Image with mixfront and Ray, as built from infra/docker.")
    ],
    override: Override = None,
    kind: Annotated[
        Kind,
        typer.Option(help="A cluster to submit searches to, or a job: this search, then gone."),
    ] = Kind.CLUSTER,
    name: Annotated[
        str | None, typer.Option(help="Name of the objects; by default the search's.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="By default kubectl's.")
    ] = None,
    min_workers: Annotated[
        int | None,
        typer.Option(min=0, help="Worker pods at least; by default for trial.lanes.min, or 1."),
    ] = None,
    max_workers: Annotated[
        int | None,
        typer.Option(min=1, help="Worker pods at most; by default for trial.lanes.max, or 4."),
    ] = None,
    workers_per_pod: Annotated[
        int | None,
        typer.Option(min=1, help="Ranks on one pod; by default those of one trial."),
    ] = None,
    memory_per_worker: Annotated[
        str | None,
        typer.Option(help="Memory of a rank; 4Gi on CPUs and 16Gi on GPUs by default."),
    ] = None,
    gpu_type: Annotated[
        str | None,
        typer.Option(
            metavar="[LABEL=]VALUE", help="Node label of the GPUs; nvidia.com/gpu.product."
        ),
    ] = None,
    gpu_resource: Annotated[
        str, typer.Option(help="Name of GPUs in Kubernetes.")
    ] = "nvidia.com/gpu",
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL|pvc:CLAIM[:SIZE]",
            help="Where searches are kept; a claim is mounted at /mnt/mixfront, and made if it "
            "has a size.",
        ),
    ] = None,
    storage_class: Annotated[
        str | None, typer.Option(help="Storage class of a claim that is made.")
    ] = None,
    cache_size: Annotated[str, typer.Option(help="Disk of every pod for encoded rows.")] = "50Gi",
    queue: Annotated[str | None, typer.Option(help="Kueue's LocalQueue.")] = None,
    secret: Annotated[
        str | None,
        typer.Option(help="Secret with credentials of storage and data, as variables."),
    ] = None,
    driver_secret: Annotated[
        str | None,
        typer.Option(
            help="Secret with MLFLOW_TRACKING_URI, OPTUNA_STORAGE and credentials; head only."
        ),
    ] = None,
    token_secret: Annotated[
        str | None,
        typer.Option(help="Secret with Ray's token as auth_token; KubeRay makes one by default."),
    ] = None,
    pull_secret: Annotated[str | None, typer.Option(help="Secret to pull the image.")] = None,
    service_account: Annotated[
        str | None, typer.Option(help="Service account of the pods.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; by default, print.")] = None,
) -> None:
    """Render a Ray cluster for a search as a manifest for KubeRay 1.7.

    A worker pod holds the workers of one trial, with the CPUs and GPUs of the spec's `trial:`
    section. Between --min-workers and --max-workers, Ray's autoscaler (v2) adds and removes pods.
    Every Ray API asks for a token. Passwords never appear in the manifest.

    Example: `mixfront cluster manifest my-search.yaml --image registry/mixfront:0.1.0-cu130
    --gpu-type NVIDIA-H100-80GB-HBM3 --max-workers 8 --secret s3 | kubectl apply -f -`

    As a job: `mixfront cluster manifest my-search.yaml --image registry/mixfront:0.1.0-cu130
    --kind job --storage s3://ranking/mixfront --secret s3 --driver-secret tracking --queue ranking
    -o search.trials=40 --output job.yaml`
    """
    from mixfront.cluster.kubernetes import manifest as manifests
    from mixfront.cluster.kubernetes.options import (
        ManifestOptions,
        name_of,
        parse_gpu_type,
        parse_mib,
        parse_storage,
    )
    from mixfront.cluster.kubernetes.sizing import pod_size

    volume = parse_storage(storage, storage_class) if storage else None
    search = _load(spec, override or [], storage, kind, is_study_secret=bool(driver_secret))
    memory = parse_mib(memory_per_worker, "--memory-per-worker") if memory_per_worker else None
    size = pod_size(
        search.trial,
        workers_per_pod=workers_per_pod,
        memory_per_worker_mib=memory,
        min_pods=min_workers,
        max_pods=max_workers,
    )
    if gpu_type and not size.gpus:
        raise UsageError(
            f"--gpu-type is {gpu_type!r}, but a trial has no GPU; set it with "
            "`-o trial.gpus_per_worker=1`"
        )
    options = ManifestOptions(
        image=image,
        name=name or name_of(search.name),
        kind=kind.value,
        namespace=namespace,
        queue=queue,
        gpu_resource=gpu_resource,
        gpu_label=parse_gpu_type(gpu_type) if gpu_type else None,
        volume=volume,
        secret=secret,
        driver_secret=driver_secret,
        token_secret=token_secret,
        pull_secret=pull_secret,
        service_account=service_account,
        cache_size=cache_size,
    )
    text = manifests.to_yaml(
        manifests.render(search, options, size), manifests.describe(options, size, search.trial)
    )
    if output is None:
        typer.echo(text, nl=False)
        return
    _write(output, text)
    typer.echo(f"Wrote {output}. Apply it with: kubectl apply -f {output}")


def _load(
    spec: str, overrides: list[str], storage: str | None, kind: Kind, *, is_study_secret: bool
) -> "SearchSpec":
    from mixfront.cluster.kubernetes.options import MOUNT
    from mixfront.spec.search_spec import load_spec

    if storage:
        url = f"{MOUNT}/searches" if storage.startswith("pvc:") else storage
        overrides = [f"storage={url}", *overrides]
    if kind is Kind.CLUSTER or is_study_secret:
        overrides = [*overrides, f"optuna_storage={FROM_SECRET}"]
    return load_spec(spec, overrides)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise UsageError(
            f"cannot write {str(path)!r}: {problem.strerror}; name another file"
        ) from None
