"""Which extra of mixfront brings which module, and the sentence for one that is missing.

The base package talks to a cluster and reads results; what a command needs beyond that is
imported when the command runs, and may not be there.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mixfront.exceptions import MissingExtraError

# Top-level modules that the base package does not bring, and the extra that does.
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
    "tenacity": "all",
    "torch": "all",
    "s3fs": "s3",
    "psycopg": "postgres",
    "psycopg2": "postgres",
}


@contextmanager
def extras_named(command: Sequence[str]) -> Iterator[None]:
    """Turn the import of a module that an extra brings into a sentence that names the extra.

    Args:
        command: The words of the command that runs, such as `["search", "run"]`.

    Raises:
        MissingExtraError: In place of the ImportError, if a module of `EXTRAS` is behind it.
    """
    try:
        yield
    except ImportError as error:
        if (sentence := missing_extra(f"`{' '.join(['mixfront', *command])}`", error)) is None:
            raise
        raise sentence from error


def missing_extra(what: str, error: BaseException) -> MissingExtraError | None:
    """The sentence for `what`, if the absence of a module of `EXTRAS` is behind an error.

    Libraries wrap the original error: `import ray.tune` without pandas raises an ImportError
    that was caused by the ModuleNotFoundError.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ModuleNotFoundError) and cause.name in EXTRAS:
            return MissingExtraError(what, EXTRAS[cause.name], cause.name)
        cause = cause.__cause__ or cause.__context__
    return None
