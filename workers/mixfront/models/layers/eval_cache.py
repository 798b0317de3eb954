"""What a module makes from its weights, kept while it only serves."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import nn

V = TypeVar("V")


class EvalCache(Generic[V]):
    """Keeps a value in eval mode without gradients, until weights, device or mode change."""

    def __init__(self) -> None:
        self._kept: tuple[object, V] | None = None

    def get(self, module: nn.Module, make: Callable[[], V]) -> V:
        """The value that `make` makes from the parameters and buffers of `module`."""
        if module.training or torch.is_grad_enabled():
            self._kept = None
            return make()
        state = _state(module)
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, make())
        return self._kept[1]

    @property
    def kept(self) -> V | None:
        """What is kept, if anything, whatever has become of the weights since."""
        return None if self._kept is None else self._kept[1]

    def clear(self) -> None:
        """Drop what is kept."""
        self._kept = None


def _state(module: nn.Module) -> object:
    """Changes with every write to a parameter or buffer, load_state_dict included."""
    return [
        (id(t), t._version, t.device, t.dtype) for t in (*module.parameters(), *module.buffers())
    ]
