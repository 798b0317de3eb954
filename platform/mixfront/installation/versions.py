"""What a search ran on: versions only, no environment variables, no host names."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("mixfront", "ray", "torch", "deepspeed", "optuna", "mlflow", "pyarrow", "numpy")


def installed_versions() -> dict[str, str]:
    """Versions of Python, the operating system and the packages that results depend on."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: found for name, found in versions.items() if found is not None},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
