"""Token mixing: the papers' worked examples, and the equivalent permutation matrix."""

import math

import pytest
import torch

from mixfront.models.mixing.permutation import (
    Init,
    initial_logits,
    permutation_matrix,
    token_mixing,
)
from mixfront.models.mixing.sinkhorn import sinkhorn


def test_example_of_the_unimixer_appendix() -> None:
    x = torch.arange(1.0, 13.0).view(1, 2, 6)
    expected = [[1, 2, 3, 7, 8, 9], [4, 5, 6, 10, 11, 12]]
    assert token_mixing(x, 2)[0].tolist() == expected


def test_two_tokens_of_width_four() -> None:
    x = torch.arange(1.0, 9.0).view(1, 2, 4)
    assert token_mixing(x, 2)[0].tolist() == [[1, 2, 5, 6], [3, 4, 7, 8]]


@pytest.mark.parametrize(("tokens", "heads", "dim"), [(2, 2, 4), (3, 4, 8), (4, 2, 6), (5, 1, 3)])
def test_mixing_over_as_many_heads_as_tokens_reverts_it(tokens: int, heads: int, dim: int) -> None:
    x = torch.randn(3, tokens, dim)
    mixed = token_mixing(x, heads)
    assert mixed.shape == (3, heads, tokens * dim // heads)
    torch.testing.assert_close(token_mixing(mixed, tokens), x, rtol=0, atol=0)


@pytest.mark.parametrize(("tokens", "heads", "dim"), [(4, 4, 16), (2, 4, 16), (4, 2, 8)])
def test_is_a_kronecker_permutation(tokens: int, heads: int, dim: int) -> None:
    x = torch.randn(tokens * dim)
    whole = torch.kron(permutation_matrix(tokens, heads), torch.eye(dim // heads))
    mixed = token_mixing(x.view(1, tokens, dim), heads).flatten()
    torch.testing.assert_close(whole @ x, mixed, rtol=0, atol=0)


def test_with_square_blocks_the_start_near_a_permutation_is_a_transposition() -> None:
    """The commutation matrix of the authors' code: vec(X^T) = K vec(X)."""
    start = initial_logits("near_perm", 0.5, num_tokens=4, dim=16, block_size=4)
    assert start is not None
    x = torch.randn(4, 4)
    torch.testing.assert_close(start @ x.flatten(), 0.5 * x.t().flatten(), rtol=0, atol=0)


@pytest.mark.parametrize(("init", "tau"), [("identity", 0.05), ("near_perm", 0.1)])
def test_the_strength_sets_the_share_of_the_selected_cells(init: Init, tau: float) -> None:
    start = initial_logits(init, 0.3, num_tokens=8, dim=64, block_size=8)
    assert start is not None
    strength = math.exp(0.3 / tau)
    share = strength / (strength + 63)
    matrix = sinkhorn(start, tau, 20)
    torch.testing.assert_close(matrix.amax(1), torch.full((64,), share))


def test_random_logits_have_no_fixed_start() -> None:
    assert initial_logits("normal", 1.0, num_tokens=2, dim=4, block_size=2) is None


@pytest.mark.parametrize(
    ("tokens", "heads", "symmetric"),
    [(4, 4, True), (1, 5, True), (5, 1, True), (2, 4, False), (4, 2, False), (3, 2, False)],
)
def test_symmetric_only_with_as_many_heads_as_tokens(
    tokens: int, heads: int, symmetric: bool
) -> None:
    matrix = permutation_matrix(tokens, heads)
    assert torch.equal(matrix, matrix.t()) is symmetric
    assert torch.equal(matrix @ matrix.t(), torch.eye(tokens * heads))
