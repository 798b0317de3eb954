"""Whether a check has the packages that it needs."""

import importlib.util


def require(*modules: str) -> None:
    """Make sure that modules are installed, without importing them, as that may take seconds.

    Raises:
        ModuleNotFoundError: If one is not; the check then counts as skipped.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
