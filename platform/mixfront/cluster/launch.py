"""`python -m mixfront.cluster.launch ...`: the entrypoint of a job on the cluster.

It sets the job's environment variables and replaces itself with the command line in the same
process, so that Ray's signals reach it.
"""

import os
import sys

from mixfront.cluster.environment import load_in_driver


def main() -> None:
    """Replace this process with `python -m mixfront.cli` and the same arguments."""
    load_in_driver()
    os.execv(sys.executable, [sys.executable, "-m", "mixfront.cli", *sys.argv[1:]])


if __name__ == "__main__":
    main()
