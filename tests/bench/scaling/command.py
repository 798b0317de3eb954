"""The options that both commands of the study have."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from tests.bench.scaling.study import FULL, QUICK, Plan

from mixfront.data.cache_folder import CACHE_VARIABLE


def parse(description: str | None) -> tuple[Plan, Path, int]:
    """The plan, the folder of the study, and the number of workers."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True, type=Path, help="Folder of the study.")
    parser.add_argument(
        "--quick", action="store_true", help="Few rows, two families, three sizes."
    )
    parser.add_argument("--workers", type=int, default=2, help="Processes of one thread each.")
    parser.add_argument("--rows", type=int, help="Training rows, instead of the plan's.")
    parser.add_argument("--family", action="append", help="Only this family; repeatable.")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    if options.rows:
        plan = replace(plan, data=replace(plan.data, train_rows=options.rows))
    if options.family:
        unknown = set(options.family) - set(plan.families)
        if unknown:
            parser.error(
                f"no family {sorted(unknown)[0]!r}; choose from {', '.join(plan.families)}"
            )
        plan = replace(plan, families={name: plan.families[name] for name in options.family})
    folder = options.out.resolve()
    # Encoded rows belong to the study; about 150 MB for 2.5 million rows.
    os.environ.setdefault(CACHE_VARIABLE, str(folder / "cache"))
    return plan, folder, options.workers
