"""The default head against its formula, and how its initial weights depend on the pooling."""

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


@pytest.mark.parametrize("pool", ["mean", "sum", "flatten"])
def test_matches_the_formula(pool: str) -> None:
    model = head(pool, hidden=(5,))
    pooled = {"mean": X.mean(1), "sum": X.sum(1), "flatten": X.flatten(1)}[pool]
    (hidden,) = model.hidden
    assert model.output.bias.eq(0).all()
    expected = torch.relu(hidden(pooled)) @ model.output.weight[0]
    torch.testing.assert_close(model(X), expected)


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_a_sum_starts_like_a_mean(hidden: tuple[int, ...]) -> None:
    torch.testing.assert_close(head("sum", hidden)(X), head("mean", hidden)(X))


@torch.no_grad()
def test_flattened_tokens_start_as_unconfident_as_a_mean() -> None:
    """With Xavier, 2 / (fan in + fan out), logits have variance 2 / T either way."""
    for pool in ("flatten", "mean"):
        assert float(head(pool)(X).std()) == pytest.approx((2 / TOKENS) ** 0.5, rel=0.4)
