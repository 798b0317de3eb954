"""MLPs of dense layers."""

import pytest
import torch

from mixfront.models.layers.mlp import ReluMLP, dense


@pytest.mark.parametrize("last_relu", [False, True])
def test_relu_between_layers(last_relu: bool) -> None:
    mlp = ReluMLP([4, 5, 3], last_relu=last_relu)
    first, second = mlp.layers
    x = torch.randn(7, 4)
    expected = second(torch.relu(first(x)))
    torch.testing.assert_close(mlp(x), torch.relu(expected) if last_relu else expected)


def test_dropout_follows_every_relu() -> None:
    mlp = ReluMLP([4, 5, 3], dropout=1.0)
    assert torch.equal(mlp(torch.randn(7, 4)), mlp.layers[1].get_parameter("bias").expand(7, 3))


def test_closed_forms() -> None:
    widths = [4, 5, 3]
    mlp = ReluMLP(widths)
    assert sum(p.numel() for p in mlp.parameters()) == ReluMLP.params(widths)
    assert ReluMLP.flops(widths) == 2 * (4 * 5 + 5 * 3)


def test_xavier_weights_and_zero_bias() -> None:
    layer = dense(64, 128)
    assert layer.weight.std().item() == pytest.approx((2 / (64 + 128)) ** 0.5, rel=0.05)
    assert layer.bias.eq(0).all()
