"""How evenly a trial's routed experts are used at each evaluation, and which are dead."""

from types import TracebackType

import torch
from torch import Tensor, nn

from mixfront.models.layers.expert_load import ExpertLoad
from mixfront.training.ranks import Ranks

MAX_SHARES = 16  # per layer, the busiest experts


class ExpertLoads:
    """Counts the rows of an evaluation's experts while it is entered.

    Every rank counts the rows that it scores. The rows that fill the last batch count too.

    Args:
        ranker: A model, which may have no routed experts.
        ranks: The ranks that share the rows.
    """

    def __init__(self, ranker: nn.Module, ranks: Ranks) -> None:
        self._ranks = ranks
        self._loads = {
            name: module
            for name, module in ranker.named_modules()
            if isinstance(module, ExpertLoad)
        }
        self._counts = dict[str, Tensor]()

    def __enter__(self) -> "ExpertLoads":
        for load in self._loads.values():
            load.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._counts = {name: load.stop() for name, load in self._loads.items()}

    def metrics(self) -> dict[str, float]:
        """Metrics over the rows of all ranks (a collective); empty without routed experts."""
        metrics = dict[str, float]()
        for name, counts in self._counts.items():
            of_ranks = self._ranks.all_gather(counts.to(self._ranks.device))
            metrics |= load_metrics(name, of_ranks.sum(0).cpu())
        return metrics


def load_metrics(name: str, counts: Tensor) -> dict[str, float]:
    """Shares of the experts, the busiest first, and the number of dead ones.

    Experts belong to a token and have no order, so each token's are sorted by load before the mean
    over tokens is taken.

    Args:
        name: Path of the module, such as blocks.2.mix_ffn.load: its owner, in layer 2.
        counts: Rows per token and expert, (T, routed experts).
    """
    path = name.split(".")
    layer = next((part for part in reversed(path) if part.isdigit()), "0")
    owner = path[-2] if len(path) > 1 else "model"
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    ordered = shares.sort(dim=1, descending=True).values.double().mean(0)[:MAX_SHARES]
    metrics = {
        f"experts/{owner}_share{place}_layer{layer}": float(share)
        for place, share in enumerate(ordered, start=1)
    }
    return metrics | {f"experts/{owner}_dead_layer{layer}": float(torch.sum(counts == 0))}
