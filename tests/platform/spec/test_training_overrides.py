"""A flat configuration becomes what a worker is told."""

import pytest

from mixfront.exceptions import SpecError
from mixfront.spaces import split_flat
from mixfront.spec.training_overrides import training_of
from mixfront.training.config import TrainingConfig


def test_keys_go_where_they_belong() -> None:
    flat = {
        "family": "unimixer", "num_blocks": 2, "optimizer.lr": 0.1, "passes": 3, "seed": 4,
        "training.embedding_optimizer.l2": 0.2, "dropout": 0.1,
    }  # fmt: skip
    family, model, training = split_flat(flat)
    assert family == "unimixer"
    assert model == {"num_blocks": 2, "dropout": 0.1}
    assert training == {
        "optimizer.lr": 0.1, "passes": 3, "seed": 4, "embedding_optimizer.l2": 0.2,
    }  # fmt: skip
    config = training_of(TrainingConfig(batch_size=64), training)
    assert config.optimizer.lr == 0.1
    assert config.embedding_optimizer.l2 == 0.2
    assert (config.passes, config.seed, config.batch_size) == (3, 4, 64)


def test_no_family() -> None:
    with pytest.raises(SpecError, match="names no family"):
        split_flat({"num_blocks": 2})


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"optimizer.lrr": 1}, "unknown key 'optimizer.lrr': did you mean 'lr'"),
        ({"optimiser.lr": 1}, "unknown training key 'optimiser.lr'"),
        ({"passes": 0}, "'passes' is 0"),
    ],
)
def test_overrides_that_do_not_fit(overrides: dict[str, float], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        training_of(TrainingConfig(), overrides)
