"""Formats values, configurations and fronts for tables and charts."""

import math
from collections.abc import Mapping
from typing import Any

from mixfront.pareto.front import Front
from mixfront.records import TrialRecord
from mixfront.spec.metrics import describe_metric
from mixfront.spec.objectives import Objective

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
# The most important model keys, as a table has no room for all of them.
MODEL_KEYS = (
    "global_pattern",
    "local_pattern",
    "num_tokens",
    "token_dim",
    "num_blocks",
    "block_size",
    "num_bases",
    "rank",
    "num_heads",
    "ffn_hidden",
)


def label(objective: Objective) -> str:
    """An objective's label, such as "Training FLOPs"."""
    return describe_metric(objective.metric).label


def format_value(metric: str, value: float | None) -> str:
    """A value in short form: 12.3M parameters, 0.74125 AUC, 3.81 ms."""
    if value is None or math.isnan(value):
        return "-"
    row = describe_metric(metric)
    if row.unit in ("ms", "s", "MB"):
        return f"{value:.3g} {row.unit}"
    if row.log10:
        return with_prefix(value)
    return f"{value:.5f}" if abs(value) < 10 else f"{value:,.1f}"


def with_prefix(value: float) -> str:
    """A number with three digits and an SI prefix: 12300000 -> 12.3M."""
    if not math.isfinite(value) or abs(value) < 1000:
        return f"{value:.3g}"
    # Round to three digits first: 999999 becomes 1M, not 1e+03k.
    rounded = float(f"{value:.3g}")
    power = min(int(math.log10(abs(rounded)) // 3), len(_PREFIXES) - 1)
    return f"{rounded / 1000**power:.3g}{_PREFIXES[power]}"


def key_params(config: Mapping[str, Any]) -> str:
    """The most important model keys of a configuration, on one line."""
    return " ".join(f"{key}={config[key]}" for key in MODEL_KEYS if key in config)


def ordered_config(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every key except the family, model keys first, with numbers rounded to four digits."""
    rest = [key for key in config if key not in MODEL_KEYS and key != "family"]
    keys = [key for key in MODEL_KEYS if key in config] + rest
    return [(key, _short(config[key])) for key in keys]


def markdown_table(front: Front) -> str:
    """The front as a Markdown table."""
    names = ["trial", "family", *map(label, front.objectives), "model"]
    rows = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    rows += [f"| {' | '.join(_cells(member, front))} |" for member in front.members]
    return "\n".join(rows)


def _cells(member: TrialRecord, front: Front) -> list[str]:
    values = [format_value(o.metric, member.values[o.metric]) for o in front.objectives]
    return [member.trial_id, member.family, *values, key_params(member.config)]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
