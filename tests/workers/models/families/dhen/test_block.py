"""DHEN's modules and ensembles by their formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, count_cost, hyperparameters, make_config
from mixfront.models.families.dhen.block import DHENBlock, DHENConfig
from mixfront.models.families.dhen.interactions import Cross, DotProducts, ModuleShape, TokenLinear

T, D = 4, 6
SHAPE = ModuleShape(num_tokens=T, dim=D, num_heads=2, ffn_hidden=8, dlrm_hidden=5)


def norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, (D,), eps=1e-6)


def test_dot_products() -> None:
    """MLP of the strictly lower triangle of X X^T / sqrt(D)."""
    module, x = DotProducts(SHAPE), torch.randn(3, T, D)
    pairs = [(x[:, i] * x[:, j]).sum(1) / D**0.5 for i in range(T) for j in range(i)]
    first, second = module.mlp.layers
    expected = second(torch.relu(first(torch.stack(pairs, dim=1)))).view(3, T, D)
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


def test_cross() -> None:
    """(X X^T / sqrt(D)) W + b is an FM with Y = W, up to the scale."""
    module, x = Cross(SHAPE), torch.randn(3, T, D)
    torch.nn.init.normal_(module.expand.bias)
    weight = module.expand.weight.T
    expected = torch.stack([row @ (row.T @ weight) for row in x]) / D**0.5 + module.expand.bias
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


def test_linear() -> None:
    module, x = TokenLinear(SHAPE), torch.randn(3, T, D)
    expected = torch.stack([module.mix.weight @ row for row in x])
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


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
    """The count itself is checked in `count_cost`, with all four modules."""
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
    ("values", "sentence"),
    [
        ({"modules": ["dlrm", "dlrm"]}, "has duplicates"),
        ({"modules": ["dlrm"]}, "'modules' is"),
        ({"num_tokens": 1}, "dlrm needs pairs of tokens"),
        ({"num_heads": 5}, "num_heads 5 does not divide"),
    ],
)
def test_what_is_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        make_config("dhen", values)


def test_a_list_of_names_lists_its_choices() -> None:
    known = hyperparameters("dhen")["modules"]
    assert known.range == {"choices": ["attention", "dlrm", "cross", "linear"]}
    assert known.default == ["dlrm", "attention", "linear"]
