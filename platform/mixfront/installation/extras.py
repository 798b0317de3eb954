"""The extra that installs each optional module, and the error for a missing one.

The base package talks to a cluster and reads results. Commands that need more import it when they
run, and it may not be installed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mixfront.exceptions import MissingExtraError

# Top-level modules that the base package does not install -> the extra that does.
EXTRAS = {
    "deepspeed": "all",
    "filelock": "all",
    "mlflow": "all",
    "ninja": "all",
    "optuna": "all",
    "pandas": "all",
    "PIL": "all",
    "pyarrow": "all",
    "safetensors": "all",
    "scipy": "all",
    "sklearn": "all",
    "tenacity": "all",
    "torch": "all",
    "s3fs": "s3",
    "psycopg": "postgres",
    "psycopg2": "postgres",
}


@contextmanager
def extras_named(command: Sequence[str]) -> Iterator[None]:
    """Turn the ImportError of an optional module into a sentence that names its extra.

    Args:
        command: The words of the running command, such as `["search", "run"]`.

    Raises:
        MissingExtraError: Instead of the ImportError, if a missing module of `EXTRAS` caused it.
    """
    try:
        yield
    except ImportError as error:
        if (sentence := missing_extra(f"`{' '.join(['mixfront', *command])}`", error)) is None:
            raise
        raise sentence from error


def missing_extra(what: str, error: BaseException) -> MissingExtraError | None:
    """The error for `what` if a missing module of `EXTRAS` caused `error`, or else None.

    Libraries wrap the original error: without pandas, `import ray.tune` raises an ImportError
    whose cause is the ModuleNotFoundError.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name in EXTRAS:
            return MissingExtraError(what, EXTRAS[cause.name], cause.name)
        cause = cause.__cause__ or cause.__context__
    return None
