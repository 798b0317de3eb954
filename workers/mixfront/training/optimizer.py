"""The dense optimizer that DeepSpeed wraps, and its learning-rate warm-up."""

from collections.abc import Set

import torch
from torch import nn

from mixfront.training.config import DenseOptimizerConfig


def build_optimizer(
    module: nn.Module, no_decay: Set[str], config: DenseOptimizerConfig
) -> torch.optim.Optimizer:
    """Adam (L2 in the gradient) or AdamW (decoupled), with a group that is never decayed.

    Args:
        module: The dense part.
        no_decay: Names of parameters without weight decay.
        config: Learning rate, weight decay and betas.
    """
    named = list(module.named_parameters())
    decayed = [p for name, p in named if name not in no_decay]
    undecayed = [p for name, p in named if name in no_decay]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    kinds: dict[str, type[torch.optim.Adam]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }
    return kinds[config.kind](
        [group for group in groups if group["params"]],
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        fused=True,
    )


def warmup_factor(step: int, warmup_steps: int) -> float:
    """Factor on lr at a 0-based step: rises linearly to 1 at the last warm-up step."""
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
