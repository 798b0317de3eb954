"""A cache for values that a module computes only from its weights, such as mixing matrices."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import nn

V = TypeVar("V")


class EvalCache(Generic[V]):
    """Caches a value in eval mode without gradients, until weights, device or mode change."""

    def __init__(self) -> None:
        self._entry: tuple[object, V] | None = None

    def get(self, module: nn.Module, compute: Callable[[], V]) -> V:
        """The result of `compute`, which must depend only on the module's weights and buffers."""
        if module.training or torch.is_grad_enabled():
            self._entry = None
            return compute()
        state = _state(module)
        if self._entry is None or self._entry[0] != state:
            self._entry = (state, compute())
        return self._entry[1]

    @property
    def value(self) -> V | None:
        """The cached value, or None; weights may have changed since it was computed."""
        return None if self._entry is None else self._entry[1]

    def clear(self) -> None:
        """Empty the cache."""
        self._entry = None


def _state(module: nn.Module) -> object:
    """Differs after every write to a parameter or buffer, including load_state_dict."""
    return [
        (id(t), t._version, t.device, t.dtype) for t in (*module.parameters(), *module.buffers())
    ]
