"""Checks and measures mixfront on one GPU in less than eight minutes.

    PYTHONPATH=platform:search_spaces:workers python -m tests.gpu.check --out results

docs/performance.md has the results of an H200.

It needs Python 3.11 or newer, one CUDA device, and the packages torch, numpy, pandas, pyarrow,
pydantic, fsspec, pyyaml, lazy_loader, safetensors, filelock, pillow and rich. The parts `trials`
and `prefetch` also need DeepSpeed, and are skipped without it. Ray, Optuna and MLflow are not
needed. DeepSpeed has only a source distribution: on a machine without internet access, install a
wheel made elsewhere with `DS_BUILD_OPS=0 pip wheel --no-deps --no-build-isolation deepspeed`.

Each part runs in its own process, so that a crash of one does not stop the others, and is killed
when its time is up. `gpu.json` and `gpu.md` are rewritten every few seconds.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tests.gpu import prefetch
from tests.gpu.machine import Machine
from tests.gpu.parts import PARTS, run_part
from tests.gpu.processes import PREPARE, CheckOptions, part_process, watch
from tests.gpu.report import PartReport, State, markdown, replace_text


def main(arguments: list[str] | None = None) -> int:
    """Run the selected parts; 0 if all of them met their requirements or were skipped."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.part:
        return _run_in_this_process(args)
    selected = args.parts.split(",")
    if unknown := [name for name in selected if name not in PARTS]:
        parser.error(f"unknown part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    args.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mixfront-gpu-"))
    try:
        options = CheckOptions(device=args.device, small=args.small, folder=folder)
        names = [name for name in PARTS if name in selected]
        reports = _run(names, args.seconds, args.out, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print((args.out / "gpu.md").read_text(), flush=True)
    return 0 if all(_passed(report) for report in reports) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.gpu.check", description="Check and measure mixfront on one GPU."
    )
    default = "cuda:0" if torch.cuda.is_available() else "cpu"
    add = parser.add_argument
    add("--device", default=default, help="cuda:0 or cpu (default: %(default)s)")
    add("--small", action="store_true", help="tiny shapes, to test the script itself")
    add("--parts", default=",".join(PARTS), help="comma-separated (default: %(default)s)")
    add("--out", type=Path, default=Path(os.environ.get("OUT", ".")), help="for gpu.json, gpu.md")
    add("--seconds", type=float, default=450, help="for all parts (default: %(default)g)")
    add("--part", choices=[*PARTS, PREPARE], help=argparse.SUPPRESS)  # one process per part
    add("--folder", type=Path, help=argparse.SUPPRESS)
    return parser


def _run_in_this_process(args: argparse.Namespace) -> int:
    deadline = time.monotonic() + args.seconds
    machine = Machine(device=args.device, small=args.small, folder=args.folder, deadline=deadline)
    if args.part == PREPARE:
        prefetch.prepare(machine)
        return 0
    return 0 if _passed(run_part(args.part, machine)) else 1


def _run(names: list[str], seconds: float, out: Path, options: CheckOptions) -> list[PartReport]:
    machine = Machine(device=options.device, small=options.small, folder=options.folder)
    environment = machine.environment()
    print(json.dumps(environment), flush=True)
    deadline, reports = time.monotonic() + seconds, dict[str, PartReport]()
    share = min(1.0, seconds / sum(PARTS[name].seconds for name in names))
    with _preparing(names, seconds, options):
        for index, name in enumerate(names):
            reserved = share * sum(PARTS[other].seconds for other in names[index + 1 :])
            limit = deadline - time.monotonic() - reserved
            print(f"\n=== {name}, {limit:.0f} s at most", flush=True)
            for report in watch(name, limit, options):
                reports[name] = report
                _publish(environment, list(reports.values()), out)
    return list(reports.values())


@contextmanager
def _preparing(names: list[str], seconds: float, options: CheckOptions) -> Iterator[None]:
    """Write the logs of the last part while the first parts run."""
    if "prefetch" not in names or names == ["prefetch"]:
        yield
        return
    with part_process(PREPARE, seconds, options):
        yield


def _publish(environment: dict[str, str], reports: list[PartReport], out: Path) -> None:
    parts = [report.model_dump(mode="json") for report in reports]
    replace_text(
        out / "gpu.json", json.dumps({"environment": environment, "parts": parts}, indent=1)
    )
    replace_text(out / "gpu.md", markdown(environment, reports))


def _passed(report: PartReport) -> bool:
    ended = report.state in (State.DONE, State.SKIPPED)
    return ended and all(requirement.met for requirement in report.requirements)


if __name__ == "__main__":
    sys.exit(main())
