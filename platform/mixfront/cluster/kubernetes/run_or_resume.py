"""`python -m mixfront.cluster.kubernetes.run_or_resume SPEC`: the command of a RayJob.

KubeRay runs it again on a new cluster when the head is lost, and Kueue when it suspends a job and
admits it again. The search then exists and is resumed; if it has finished, nothing is done.
"""

import os
import sys

from mixfront.exceptions import UnknownNameError
from mixfront.records.locate import locate_search


def command(spec: str) -> list[str] | None:
    """The arguments of `mixfront` for a spec file; None if its search has finished."""
    try:
        record = locate_search(spec).search()
    except UnknownNameError:
        return ["search", "run", spec]
    return None if record.state == "finished" else ["search", "resume", spec]


def main() -> None:
    """Replace this process with `mixfront`, so that Ray's signals reach it."""
    arguments = command(sys.argv[1])
    if arguments is None:
        print("the search has finished already")
        return
    os.execv(sys.executable, [sys.executable, "-m", "mixfront.cli", *arguments])


if __name__ == "__main__":
    main()
