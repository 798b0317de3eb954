"""Searches from Python: load a spec, prepare the search, run it.

Names are imported at first use, so that `import mixfront.search` loads neither torch nor Ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixfront.search.prepare import prepare_search
    from mixfront.search.run import run_search
    from mixfront.spec.search_spec import SearchSpec, load_spec

__all__ = ["SearchSpec", "load_spec", "prepare_search", "run_search"]

_MODULES = {
    "SearchSpec": "mixfront.spec.search_spec",
    "load_spec": "mixfront.spec.search_spec",
    "prepare_search": "mixfront.search.prepare",
    "run_search": "mixfront.search.run",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
