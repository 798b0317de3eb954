"""The dense optimizer that DeepSpeed wraps, and its learning-rate warm-up."""

from collections.abc import Set

import torch
from torch import nn

from mixfront.training.config import DenseOptimizerConfig

NONE: frozenset[str] = frozenset()


def build_optimizer(
    module: nn.Module, no_decay: Set[str], config: DenseOptimizerConfig, mixing: Set[str] = NONE
) -> torch.optim.Optimizer:
    """Adam (L2 in the gradient) or AdamW (decoupled), with groups that are never decayed.

    Args:
        module: The dense part.
        no_decay: Names of parameters without weight decay.
        config: Learning rates, weight decay and betas.
        mixing: Names of the logits of learned mixing, with a learning rate of their own.
    """
    factor = config.mixing_lr_factor
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {
        (decays, scaled): [] for scaled in (False, True) for decays in (True, False)
    }
    for name, parameter in module.named_parameters():
        groups[name not in no_decay, factor != 1 and name in mixing].append(parameter)
    kinds: dict[str, type[torch.optim.Adam]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }
    return kinds[config.kind](
        [
            {
                "params": parameters,
                "weight_decay": config.weight_decay if decays else 0.0,
                "lr": config.lr * (factor if scaled else 1.0),
            }
            for (decays, scaled), parameters in groups.items()
            if parameters
        ],
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        fused=True,
    )


def warmup_factor(step: int, warmup_steps: int) -> float:
    """Factor on lr at a 0-based step: rises linearly to 1 at the last warm-up step."""
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
