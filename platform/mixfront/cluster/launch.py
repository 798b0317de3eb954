"""`python -m mixfront.cluster.launch ...`: where a job begins on the cluster.

It sets the environment that travelled with the job and becomes the command line, in the same
process, so that Ray's signals reach it.
"""

import os
import sys

from mixfront.cluster.environment import load_in_driver


def main() -> None:
    """Replace this process by `python -m mixfront.cli` with the same words."""
    load_in_driver()
    os.execv(sys.executable, [sys.executable, "-m", "mixfront.cli", *sys.argv[1:]])


if __name__ == "__main__":
    main()
