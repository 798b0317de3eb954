"""How often each routed expert is selected."""

from typing import final

import torch
from torch import Tensor, nn


@final
class ExpertLoad(nn.Module):
    """Counts the rows that select each expert of each token, between `start` and `stop`.

    A module without parameters, so that the loads of a model are found among its modules.

    Args:
        num_tokens: T.
        num_routed: Routed experts of a token, without shared ones.
    """

    def __init__(self, num_tokens: int, num_routed: int) -> None:
        super().__init__()
        self._shape = (num_tokens, num_routed)
        self._counts: Tensor | None = None

    def start(self) -> None:
        """Count from zero."""
        self._counts = torch.zeros(self._shape, dtype=torch.long)

    def stop(self) -> Tensor:
        """Rows per token and expert since `start`, (T, routed experts), on the CPU."""
        assert self._counts is not None, "start it first"
        counts, self._counts = self._counts, None
        return counts.cpu()

    def add(self, choices: Tensor) -> None:
        """Count selected experts, (T, K, N), unless stopped."""
        if self._counts is not None:
            flat = choices.flatten(1)
            counts = self._counts.to(choices.device)
            self._counts = counts.scatter_add(1, flat, torch.ones_like(flat))
