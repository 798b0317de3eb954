"""A valid spec on the fuzz tests' data, which most inputs are derived from."""

import copy
from pathlib import Path
from typing import Any

import yaml

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {
        "path": "../data",
        "schema": "../data/schema.yaml",
        "train": "date <= 20260105",
        "validation": "date == 20260106",
        "test": "date == 20260107",
    },
    "space": "small",
    "objectives": [{"metric": "auc", "direction": "max"}, "flops"],
    "constraints": {"params": "<= 20e6", "flops": "<= 5e11", "latency_p99_ms_b1": "<= 5"},
    "search": {
        "trials": 4,
        "time": "2h",
        "accelerator_hours": 16,
        "seed": 1,
        "enqueue": [{"family": "rankmixer", "num_tokens": 4, "token_dim": 8, "ffn_hidden": 16}],
    },
    "stopping": {"kind": "fixed_rungs", "rungs": [0.25, 0.5], "keep": 0.5},
    "training": {"passes": 1, "batch_size": 64, "precision": "fp32", "optimizer": {"lr": 1e-3}},
    "trial": {"workers": 1, "zero_stage": 2},
    "tracking": {"experiment": "fuzz"},
    "reference_point": {"auc": 0.5, "flops": 1e12},
}


def small_spec(data: Path, **changes: Any) -> str:
    """The spec as YAML, with absolute paths and some of its sections replaced."""
    spec = copy.deepcopy(SMALL) | changes
    spec["data"] |= {"path": str(data), "schema": str(data / "schema.yaml")}
    return yaml.safe_dump(spec, sort_keys=False)
