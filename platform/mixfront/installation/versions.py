"""The versions that a search ran with, without environment variables or host names."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("mixfront", "ray", "torch", "deepspeed", "optuna", "mlflow", "pyarrow", "numpy")


def installed_versions() -> dict[str, str]:
    """Versions of Python, the operating system and the packages that results depend on."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: number for name, number in versions.items() if number is not None},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
