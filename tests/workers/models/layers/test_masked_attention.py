"""Attention over padded sequences: padding has no influence, and no events give zero."""

import torch

from mixfront.models.layers.attention import attend
from mixfront.models.layers.masked_attention import attend_masked, masked_softmax

COUNTS = torch.tensor([5, 0, 2])
MASK = torch.arange(5) < COUNTS[:, None]


def test_softmax_over_unmasked_positions() -> None:
    scores = torch.randn(3, 5)
    weights = masked_softmax(scores, MASK)
    assert torch.equal(weights[1], torch.zeros(5))
    for row, count in ((0, 5), (2, 2)):
        torch.testing.assert_close(weights[row, :count], scores[row, :count].softmax(0))
        assert weights[row, count:].eq(0).all()


def test_every_row_attends_to_its_own_events() -> None:
    query, key, value = torch.randn(3, 5, 4), torch.randn(3, 5, 4), torch.randn(3, 5, 4)
    out = attend_masked(query, key, value, 2, MASK[:, None, None])
    for row, count in ((0, 5), (2, 2)):
        for i in range(5):  # `attend` takes as many keys as queries
            repeated = query[row, i].expand(1, count, 4)
            expected = attend(
                repeated, key[row : row + 1, :count], value[row : row + 1, :count], 2
            )
            torch.testing.assert_close(out[row, i], expected[0, 0])
    assert torch.equal(out[1], torch.zeros(5, 4))


def test_gradients_of_a_fully_masked_row_are_finite() -> None:
    key = torch.randn(3, 5, 4, requires_grad=True)
    out = attend_masked(torch.randn(1, 2, 4), key, key, 2, MASK[:, None, None])
    torch.autograd.backward(out.square().sum())
    assert key.grad is not None
    assert key.grad.isfinite().all()
    assert key.grad[~MASK].eq(0).all()
