"""When a cached value is reused, and when it is computed again."""

import torch
from torch import nn

from mixfront.models.layers.eval_cache import EvalCache


class _Doubling(nn.Module):
    """Counts how often 2 w is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.cache = EvalCache[torch.Tensor]()
        self.computed = 0

    def forward(self) -> torch.Tensor:
        return self.cache.get(self, self._double)

    def _double(self) -> torch.Tensor:
        self.computed += 1
        return 2 * self.weight


def test_cached_in_eval_mode_without_gradients() -> None:
    module = _Doubling().eval()
    with torch.no_grad():
        assert module() is module()
    assert module.cache.value is not None
    assert module.computed == 1


def test_never_cached_in_training_mode_or_with_gradients() -> None:
    module = _Doubling()
    with torch.no_grad():
        module()
        module()
    module.eval()()
    assert module.cache.value is None
    assert module.computed == 3


def test_computed_again_after_weights_change_or_the_cache_is_cleared() -> None:
    module = _Doubling().eval()
    with torch.no_grad():
        module()
        module.weight.mul_(2)
        assert module().tolist() == [4, 4]
        module.cache.clear()
        module()
    assert module.computed == 3
