"""DHEN's interaction modules against their formulas."""

import torch

from mixfront.models.families.dhen.interactions import Cross, DotProducts, ModuleShape, TokenLinear

T, D = 4, 6
SHAPE = ModuleShape(num_tokens=T, dim=D, num_heads=2, ffn_hidden=8, dlrm_hidden=5)


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
