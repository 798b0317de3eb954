"""`python -m mixfront.doctor NAME`: one check; its finding is the last line printed, as JSON."""

import json
import sys
import warnings
from dataclasses import asdict

from mixfront.doctor.checks import CHECKS
from mixfront.doctor.examine import look


def main(name: str) -> None:
    """Run the check of that name."""
    warnings.simplefilter("ignore")
    [check] = [check for check in CHECKS if check.name == name]
    print(f"\n{json.dumps(asdict(look(check)))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
