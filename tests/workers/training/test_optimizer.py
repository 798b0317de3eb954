"""Parameter groups of the dense optimizer, and learning-rate warm-up."""

import pytest
import torch
from torch import nn

from mixfront.training.config import DenseOptimizerConfig
from mixfront.training.optimizer import build_optimizer, warmup_factor


def test_named_parameters_are_not_decayed() -> None:
    module = nn.Linear(2, 3)
    config = DenseOptimizerConfig(weight_decay=0.3, lr=0.2, beta1=0.5)
    optimizer = build_optimizer(module, {"bias"}, config)
    decays = {
        id(parameter): group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert decays == {id(module.weight): 0.3, id(module.bias): 0.0}
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)


def test_the_logits_of_learned_mixing_have_a_learning_rate_of_their_own() -> None:
    module = nn.ModuleDict({"mixing": nn.Linear(2, 2), "ffn": nn.Linear(2, 2)})
    config = DenseOptimizerConfig(lr=0.1, weight_decay=0.3, mixing_lr_factor=10)
    names = {"mixing.weight", "mixing.bias"}
    optimizer = build_optimizer(module, {"mixing.bias", "ffn.bias"}, config, names)
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert found == {
        id(module["mixing"].weight): (1.0, 0.3),
        id(module["mixing"].bias): (1.0, 0.0),
        id(module["ffn"].weight): (0.1, 0.3),
        id(module["ffn"].bias): (0.1, 0.0),
    }
    same = DenseOptimizerConfig(lr=0.1, weight_decay=0.3, mixing_lr_factor=1)
    assert len(build_optimizer(module, {"mixing.bias", "ffn.bias"}, same, names).param_groups) == 2


@pytest.mark.parametrize(("kind", "expected"), [("adam", 0.9), ("adamw", 0.95)])
def test_adam_adds_decay_to_the_gradient_and_adamw_does_not(kind: str, expected: float) -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.ones_(module.weight)
    config = DenseOptimizerConfig.model_validate({"kind": kind, "lr": 0.1, "weight_decay": 0.5})
    optimizer = build_optimizer(module, frozenset(), config)
    module.weight.grad = torch.zeros(1, 1)
    optimizer.step()
    # Adam takes a full step of size lr; AdamW shrinks the weight by lr * decay.
    assert float(module.weight.detach()) == pytest.approx(expected, abs=1e-4)


def test_an_empty_group_is_left_out() -> None:
    module = nn.Linear(1, 1, bias=False)
    assert len(build_optimizer(module, frozenset(), DenseOptimizerConfig()).param_groups) == 1


def test_warmup_rises_linearly_to_one() -> None:
    assert [warmup_factor(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert warmup_factor(0, 0) == 1.0
