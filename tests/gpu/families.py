"""Part 1: logits and gradients of every family on the device against the CPU in fp32."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from tests.gpu.machine import Machine
from tests.gpu.peak_rates import Precision, autocast, matmul_precision
from tests.gpu.report import Cell, Recorder
from torch import Tensor

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import FAMILIES, Ranker, build_ranker, make_config
from mixfront.training.loss import Outputs, extra_loss, task_loss

VARIANTS: dict[str, list[dict[str, Any]]] = {  # in addition to each family's defaults
    "kunlun": [{"position": "rote"}],
    "rankmixer": [{"num_experts": 4, "router_penalty": 0.1}, {"sequence_pool": "target"}],
    "tokenmixer_large": [
        {"num_blocks": 3, "inter_residual_every": 1, "aux_weight": 0.5},
        {"tokenizer": "semantic_groups", "tokenizer_hidden": 32, "global_token": True},
    ],
}
FINAL_TAU = 0.05  # Sinkhorn temperature at the end of training
NEGLIGIBLE = 1e-3  # share of all gradients below which a tensor's gradient is mostly rounding


@dataclass(frozen=True, kw_only=True)
class Results:
    """Logits and gradients, copied to the CPU as float64."""

    logits: Tensor
    gradients: dict[str, Tensor]  # of parameters, fields and events


@dataclass(frozen=True, kw_only=True)
class Difference:
    """||actual - expected|| / ||expected||, or tolerances of it."""

    logits: float
    gradients: float  # all of them as one vector
    worst: float  # of the tensor that differs most; ||expected|| is at least NEGLIGIBLE of all
    tensor: str = ""  # the one that differs most

    def is_within(self, tolerances: "Difference") -> bool:
        """Whether no difference is above its tolerance; NaN is never within it."""
        return (
            self.logits <= tolerances.logits
            and self.gradients <= tolerances.gradients
            and self.worst <= tolerances.worst
        )


TOLERANCES: dict[Precision, Difference] = {  # bf16 on a CPU: at most 0.01, 0.02 and 0.09
    "fp32": Difference(logits=1e-4, gradients=1e-3, worst=1e-2),
    "tf32": Difference(logits=5e-3, gradients=1e-2, worst=0.1),
    "bf16": Difference(logits=2e-2, gradients=4e-2, worst=0.2),
}


def run(machine: Machine, recorder: Recorder) -> None:
    """Compare all families in three precisions, at the first and the last temperature."""
    recorder.note(_explanation())
    headings = [
        f"{name} {what}" for name in TOLERANCES for what in ("logits", "gradients", "worst")
    ]
    table = recorder.table(
        "Relative differences from the CPU in fp32",
        *("family", "tau", *headings, "worst tensor in bf16"),
        *("bf16 logits on the CPU", "bf16 gradients on the CPU", "met"),
    )
    for family, changes, tau in _cases(machine):
        if machine.seconds_left() < machine.pick(3, 0):
            recorder.require(f"{family} is compared", False, "no time was left")
            continue
        ranker = _ranker(family, changes, tau, machine)
        label = family + "".join(f", {key} {value}" for key, value in changes.items())
        recorder.row(table, label, tau, *_compare(ranker, machine))
    met = [bool(row[-1]) for row in table.rows]
    recorder.require("every family is within the tolerances", all(met), f"{sum(met)}/{len(met)}")


def _explanation() -> str:
    tolerances = "; ".join(
        f"{name} {limit.logits:g} for logits, {limit.gradients:g} for all gradients, "
        f"{limit.worst:g} for the worst tensor"
        for name, limit in TOLERANCES.items()
    )
    return f"Tolerances: {tolerances}."


def _cases(machine: Machine) -> Iterator[tuple[str, dict[str, Any], float | None]]:
    for family in machine.pick(sorted(FAMILIES), ["kunlun", "unimixer"]):
        for changes in [{}, *VARIANTS.get(family, [])]:
            if make_config(family, changes).temperature() is None:
                yield family, changes, None
            else:
                yield family, changes, 1.0
                yield family, changes, FINAL_TAU


def _compare(ranker: Ranker, machine: Machine) -> list[Cell]:
    """The cells of a row, after its name and temperature."""
    rows = _rows(ranker, machine)
    expected = _compute(ranker, rows, "cpu", "fp32")
    differences = {
        precision: difference(_compute(ranker, rows, machine.device, precision), expected)
        for precision in TOLERANCES
    }
    numbers = [n for d in differences.values() for n in (d.logits, d.gradients, d.worst)]
    on_cpu = difference(_compute(ranker, rows, "cpu", "bf16"), expected)
    met = all(d.is_within(TOLERANCES[precision]) for precision, d in differences.items())
    return [*numbers, differences["bf16"].tensor, on_cpu.logits, on_cpu.gradients, met]


def difference(actual: Results, expected: Results) -> Difference:
    """The relative difference of two computations."""
    names = list(expected.gradients)
    whole = torch.cat([expected.gradients[name].flatten() for name in names])
    error = torch.cat([(actual.gradients[n] - expected.gradients[n]).flatten() for n in names])
    floor = NEGLIGIBLE * float(whole.norm())
    each = {
        name: float((actual.gradients[name] - expected.gradients[name]).norm())
        / max(float(expected.gradients[name].norm()), floor)
        for name in names
    }
    # NaN first: `max` alone may miss it, because every comparison with NaN is false.
    tensor = max(each, key=lambda name: (each[name] != each[name], each[name]))
    return Difference(
        logits=float((actual.logits - expected.logits).norm() / expected.logits.norm()),
        gradients=float(error.norm() / whole.norm()),
        worst=each[tensor],
        tensor=tensor,
    )


def _compute(ranker: Ranker, rows: list[Tensor], device: str, precision: Precision) -> Results:
    model = copy.deepcopy(ranker).to(device).train()
    inputs = [part.to(device) for part in rows]
    targets = {"(fields)": inputs[0]} | ({"(events)": inputs[2]} if ranker.uses_events else {})
    targets = {name: part.requires_grad_() for name, part in targets.items()}
    targets |= dict(model.named_parameters())
    label = (torch.arange(len(inputs[0]), device=device) % 3 == 0).float()
    weight = torch.full_like(label, 1 / len(label))
    with matmul_precision(precision):
        with autocast(precision, device):
            outputs = Outputs.of(model(*inputs))
        extra = extra_loss(outputs, label, weight, ranker.config.auxiliary_weight())
        loss = task_loss(outputs, label, weight) + extra
        gradients = torch.autograd.grad(loss, list(targets.values()))
    return Results(
        logits=outputs.logits.detach().cpu().double(),
        gradients={
            name: gradient.cpu().double()
            for name, gradient in zip(targets, gradients, strict=True)
        },
    )


def _ranker(family: str, changes: dict[str, Any], tau: float | None, machine: Machine) -> Ranker:
    size = machine.pick({}, {"num_tokens": 8, "token_dim": 16, "embedding_dim": 8})
    torch.manual_seed(0)
    ranker = build_ranker(family, make_config(family, {**size, **changes}), _layout())
    if tau is not None:
        ranker.set_tau(tau)
    return ranker


def _layout() -> FeatureLayout:
    """Fields of every kind; the sequences share tables with the first two ids."""
    fields = [
        FieldLayout(name=f"id{i}", domain=f"d{i % 3}", kind="categorical") for i in range(20)
    ]
    fields += [FieldLayout(name=f"x{i}", domain="d1", kind="numeric") for i in range(4)]
    fields += [
        FieldLayout(
            name=f"past{i}", domain="past", kind="sequence", length=20, timed=True, target=f"id{i}"
        )
        for i in range(2)
    ]
    return FeatureLayout(fields=tuple(fields), num_rows=0, pad_rows=())


def _rows(ranker: Ranker, machine: Machine) -> list[Tensor]:
    """Random fields, numeric values with nulls, and sequences of every length."""
    count, dim = machine.pick(256, 8), ranker.config.embedding_dim
    generator = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    numeric = normal(count, 4)
    numeric[::5, 0] = torch.nan
    fields = normal(count, 22, dim)
    if not ranker.uses_events:
        return [fields, numeric]
    lengths = torch.randint(0, 21, (count, 2, 1), generator=generator)
    mask = (torch.arange(20) < lengths).flatten(1)
    ages = 10 ** (2 + 4 * torch.rand(count, 40, generator=generator)) * mask
    return [fields, numeric, normal(count, 40, dim), mask, ages]
