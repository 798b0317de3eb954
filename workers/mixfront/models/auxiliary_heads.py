"""Training-only heads that predict the label from intermediate layers (arXiv 2602.06563)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mixfront.models._base import RankerConfig
from mixfront.models.head import pooled
from mixfront.models.layers.per_token import PerTokenLinear
from mixfront.models.layers.precision import no_autocast

PREFIX = "auxiliary."  # of the heads' parameter names in a ranker


class AuxiliaryHeads(nn.Module):
    """For each of A layers, the mean over its tokens, then a linear map to a logit.

    The parameters are neither served nor counted as dense parameters.

    Args:
        count: A.
        dim: Width of a token.
    """

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.output = PerTokenLinear(count, dim, 1)

    def forward(self, *layers: Tensor) -> Tensor:
        """Tokens (N, T, D) of each of the A layers -> logits (N, A) in float32."""
        x = torch.stack([pooled(layer, "mean") for layer in layers], dim=1)
        with no_autocast(x.device):
            logits: Tensor = self.output(x.to(self.output.weight.dtype))
        return logits.squeeze(-1)

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiply the weights of the linear maps."""
        self.output.weight.mul_(factor)


def make_auxiliary(config: RankerConfig) -> AuxiliaryHeads | None:
    """The auxiliary heads of a config; None if it asks for none."""
    count = len(config.auxiliary_layers())
    return AuxiliaryHeads(count, config.token_dim) if count else None


def serving_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A ranker's weights without its auxiliary heads."""
    return {name: value for name, value in weights.items() if not name.startswith(PREFIX)}
