"""Checks DeepSpeed, and the op that it builds for training on CPUs."""

from typing import Any

from mixfront.doctor.compiler import missing_tools
from mixfront.doctor.finding import Finding, failed, ok
from mixfront.doctor.needs import require


def check_deepspeed() -> Finding:
    """Check DeepSpeed without building its op, which would take about a minute."""
    require("deepspeed", "torch")
    import torch

    from mixfront.training.deepspeed.engine import import_deepspeed

    on_gpu = torch.cuda.is_available()
    deepspeed = import_deepspeed("cuda" if on_gpu else "cpu", build_op=False)
    version = f"DeepSpeed {deepspeed.__version__}"
    return ok(f"{version} trains on GPUs") if on_gpu else _cpu_op(deepspeed, version)


def _cpu_op(deepspeed: Any, version: str) -> Finding:
    from mixfront.training.deepspeed.cpu_op import cpu_op_builder, is_built

    if cpu_op_builder(deepspeed) is None:
        return ok(f"{version} trains on CPUs without an op to build")
    if is_built():
        return ok(f"{version} trains on CPUs; its op is built")
    if missing := missing_tools():
        return failed(
            f"{version} cannot build its CPU op: no {' and no '.join(missing)}",
            "; ".join(missing.values()),
        )
    return ok(f"{version} trains on CPUs; the first training builds its op, in about a minute")
