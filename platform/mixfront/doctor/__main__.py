"""`python -m mixfront.doctor NAME` runs one check and prints its finding as a line of JSON."""

import json
import sys
import warnings
from dataclasses import asdict

from mixfront.doctor.checks import CHECKS
from mixfront.doctor.examine import run_check


def main(name: str) -> None:
    """Run the check with this name."""
    warnings.simplefilter("ignore")
    [check] = [check for check in CHECKS if check.name == name]
    print(f"\n{json.dumps(asdict(run_check(check)))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
