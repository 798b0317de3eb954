"""UniMixing as one explicit matrix, and its reduction to RankMixer's token mixing."""

import pytest
import torch
from torch import Tensor, nn

from mixfront.models.mixing.global_patterns import FullGlobal
from mixfront.models.mixing.local_patterns import FullLocal
from mixfront.models.mixing.permutation import permutation_matrix, token_mixing
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions
from mixfront.models.mixing.unimixing import UniMixing

OPTIONS = SinkhornOptions(num_iters=10, tau=0.2)


class Fixed(nn.Module):
    """A pattern with a given matrix: n of B x B for a local pattern, n x n for a global one."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, x: Tensor) -> Tensor:
        if self.matrix.ndim == 3:
            return torch.bmm(x, self.matrix)
        return torch.einsum("ij,jnb->inb", self.matrix, x)


@pytest.mark.parametrize(("tokens", "dim", "block"), [(4, 6, 3), (3, 4, 6), (2, 8, 8)])
def test_equals_the_block_matrix_with_the_source_blocks_weights(
    tokens: int, dim: int, block: int
) -> None:
    """Block (i, j) is G_ij (W_B^j)^T, even if blocks span several tokens or parts of them."""
    n = tokens * dim // block
    local = FullLocal(n, block, std=1.0, options=OPTIONS)
    global_ = FullGlobal(n, std=1.0, options=OPTIONS)
    x = torch.randn(5, tokens, dim)
    g, w = global_.matrix(), local.matrix()
    whole = torch.cat([torch.cat([g[i, j] * w[j].t() for j in range(n)], 1) for i in range(n)])

    mixed = UniMixing(local, global_, block)(x)

    assert mixed.shape == x.shape
    torch.testing.assert_close(mixed.flatten(1), x.flatten(1) @ whole.t())


@pytest.mark.parametrize("tokens", [2, 4])
def test_equals_token_mixing_with_identity_and_permutation(tokens: int) -> None:
    dim = 8
    block, n = dim // tokens, tokens * tokens
    mixing = UniMixing(
        Fixed(torch.eye(block).expand(n, -1, -1)), Fixed(permutation_matrix(tokens, tokens)), block
    )
    x = torch.randn(3, tokens, dim)
    torch.testing.assert_close(mixing(x), token_mixing(x, tokens), rtol=0, atol=0)


def test_patterns_near_a_permutation_equal_token_mixing_at_low_temperature() -> None:
    tokens, dim = 4, 8
    options = SinkhornOptions(num_iters=20, tau=0.02)
    local = FullLocal(16, 2, std=1.0, options=options, identity=1.0)
    global_ = FullGlobal(
        16, std=1.0, options=options, initial_logits=permutation_matrix(tokens, tokens)
    )
    x = torch.randn(3, tokens, dim)
    torch.testing.assert_close(UniMixing(local, global_, 2)(x), token_mixing(x, tokens))


@pytest.mark.parametrize(("tokens", "dim", "block"), [(4, 6, 3), (3, 4, 6), (2, 8, 8)])
def test_transposed_input_is_flattened_entry_by_entry(tokens: int, dim: int, block: int) -> None:
    n = tokens * dim // block
    local = FullLocal(n, block, std=1.0, options=OPTIONS)
    global_ = FullGlobal(n, std=1.0, options=OPTIONS)
    x = torch.randn(5, tokens, dim)
    mixed = UniMixing(local, global_, block, transpose=True)(x)
    expected = UniMixing(local, global_, block)(x.mT).view(x.shape)  # mixes (D, T)
    torch.testing.assert_close(mixed, expected)


def test_a_transposed_input_without_mixing_is_token_mixing_but_for_the_order_in_a_token() -> None:
    x = torch.randn(3, 4, 8)
    mixed = UniMixing(nn.Identity(), nn.Identity(), 2, transpose=True)(x)
    expected = token_mixing(x, 4)
    torch.testing.assert_close(mixed.sort(-1).values, expected.sort(-1).values, rtol=0, atol=0)
    assert not torch.equal(mixed, expected)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_gradient_against_finite_differences(shared: bool, transpose: bool) -> None:
    local = FullLocal(6, 2, std=1.0, options=OPTIONS, shared=shared).double()
    global_ = FullGlobal(6, std=1.0, options=OPTIONS).double()
    mixing = UniMixing(local, global_, 2, transpose=transpose)
    x = torch.randn(3, 2, 6, dtype=torch.float64, requires_grad=True)

    def mixed(x: Tensor, *_weights: Tensor) -> Tensor:
        out: Tensor = mixing(x)
        return out

    assert torch.autograd.gradcheck(mixed, (x, local.weight, global_.weight))


def test_under_autocast_it_is_close_and_its_gradients_are_float32() -> None:
    local, global_ = (
        FullLocal(16, 4, std=1.0, options=OPTIONS),
        FullGlobal(16, std=1.0, options=OPTIONS),
    )
    mixing, x = UniMixing(local, global_, 4), torch.randn(5, 8, 8, requires_grad=True)
    exact = mixing(x)
    (expected,) = torch.autograd.grad(exact.square().sum(), x)

    with torch.autocast("cpu", torch.bfloat16):
        out = mixing(x)
    out.float().square().sum().backward()

    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), exact, atol=0.05, rtol=0.05)
    for leaf in (x, local.weight, global_.weight):
        assert leaf.grad is not None
        assert leaf.grad.dtype == torch.float32
    torch.testing.assert_close(x.grad, expected, atol=0.1, rtol=0.1)
