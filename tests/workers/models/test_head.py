"""How pooling decides what the head's first weights are."""

import pytest
import torch

from mixfront.models import RankerConfig
from mixfront.models.head import Head

TOKENS, DIM = 8, 16
X = torch.randn(512, TOKENS, DIM, generator=torch.Generator().manual_seed(0))


def head(pool: str, hidden: tuple[int, ...] = ()) -> Head:
    torch.manual_seed(1)
    config = {"num_tokens": TOKENS, "token_dim": DIM, "pool": pool, "head_hidden": hidden}
    return Head(RankerConfig.model_validate(config))


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_a_sum_starts_as_the_mean_does(hidden: tuple[int, ...]) -> None:
    torch.testing.assert_close(head("sum", hidden)(X), head("mean", hidden)(X))


@torch.no_grad()
def test_tokens_side_by_side_start_as_unsure_as_their_mean() -> None:
    """Xavier's variance is 2 / (fan in + fan out): 2 / T of logits, either way."""
    for pool in ("flatten", "mean"):
        assert float(head(pool)(X).std()) == pytest.approx((2 / TOKENS) ** 0.5, rel=0.4)
