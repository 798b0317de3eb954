"""Checks that the packages for a check are installed."""

import importlib.util


def require(*modules: str) -> None:
    """Make sure that modules are installed, without importing them, which may take seconds.

    Raises:
        ModuleNotFoundError: If one is not installed; the check is then skipped.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
