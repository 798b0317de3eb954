"""Runs Python in a new process in which some packages cannot be imported."""

import subprocess
import sys
from collections.abc import Iterable, Mapping

_FINDER = """
import sys
MISSING = {missing!r}
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Nothing())
"""


def run_without(
    modules: Iterable[str],
    code: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which the import of `modules` fails."""
    whole = _FINDER.format(missing=sorted(modules)) + code
    return subprocess.run(
        [sys.executable, "-c", whole, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
