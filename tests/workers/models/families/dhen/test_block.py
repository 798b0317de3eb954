"""DHEN's ensembles against their formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, count_cost, hyperparameters, make_config
from mixfront.models.families.dhen.block import DHENBlock, DHENConfig
from mixfront.models.families.dhen.interactions import ModuleShape

T, D = 4, 6


def norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, (D,), eps=1e-6)


@pytest.mark.parametrize("ensemble", ["weighted_sum", "sum", "concat"])
@pytest.mark.parametrize("modules", [["dlrm", "attention", "linear"], ["attention", "cross"]])
def test_ensembles(ensemble: str, modules: list[str]) -> None:
    values = {"num_tokens": T, "token_dim": D, "num_heads": 2, "modules": modules}
    block = DHENBlock(DHENConfig.model_validate({**values, "ensemble": ensemble}))
    x = torch.randn(3, T, D)
    parts = [module(x) for module in block.interactions]
    if ensemble == "weighted_sum":
        assert block.factors is not None
        assert block.factors.tolist() == pytest.approx([1 / len(modules)] * len(modules))
        torch.nn.init.normal_(block.factors)
        weighted = zip(block.factors.tolist(), parts, strict=True)
        mixed = torch.stack([factor * part for factor, part in weighted]).sum(0)
    elif ensemble == "sum":
        mixed = torch.stack(parts).sum(0)
    else:
        weight = block.get_parameter("join.weight")
        mixed = torch.stack([weight @ row for row in torch.cat(parts, dim=1)])
    expected = norm(mixed + x)
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ensemble", ["weighted_sum", "sum", "concat"])
def test_every_ensemble_is_counted(ensemble: str) -> None:
    """With all four modules. `count_cost` itself compares FLOPs with a forward."""
    modules = ["attention", "dlrm", "cross", "linear"]
    values = {"modules": modules, "ensemble": ensemble, "num_blocks": 1}
    shape = ModuleShape(num_tokens=16, dim=64, num_heads=4, ffn_hidden=128, dlrm_hidden=256)
    pairs = 16 * 15 // 2
    attention = 4 * 64**2 + 2 * 64 * 128 + 9 * 64 + 128
    dlrm = pairs * 256 + 256 + 256 * 1024 + 1024
    extra = {"weighted_sum": 4, "sum": 0, "concat": 4 * 16**2}[ensemble]
    cost = count_cost("dhen", make_config("dhen", values))
    assert shape.dlrm_widths == [pairs, 256, 1024]
    expected = attention + dlrm + (16 * 64 + 64) + 16**2 + extra + 2 * 64
    assert cost.blocks.params == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modules": ["dlrm", "dlrm"]}, "has duplicates"),
        ({"modules": ["dlrm"]}, "'modules' is"),
        ({"num_tokens": 1}, "dlrm needs pairs of tokens"),
        ({"num_heads": 5}, "num_heads 5 does not divide"),
    ],
)
def test_invalid_configs_are_rejected(values: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_config("dhen", values)


def test_a_list_of_names_lists_its_choices() -> None:
    modules = hyperparameters("dhen")["modules"]
    assert modules.range == {"choices": ["attention", "dlrm", "cross", "linear"]}
    assert modules.default == ["dlrm", "attention", "linear"]
