"""A training step of only the dense part, on given embeddings and with the task's loss."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from tests.gpu.machine import Machine
from tests.gpu.peak_rates import Precision, autocast

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import build_ranker, make_config
from mixfront.models.mixing.sinkhorn_pattern import TemperedPattern
from mixfront.training.config import DenseOptimizerConfig
from mixfront.training.loss import Outputs, task_loss
from mixfront.training.optimizer import build_optimizer


@dataclass(frozen=True)
class Shape:
    """A model whose input is one field of width `chunk_dim` per token."""

    name: str
    family: str
    keys: dict[str, Any]
    chunk_dim: int


class TrainingStep:
    """Forward, backward and optimizer step, always on the same random rows.

    Args:
        shape: The model and its input.
        precision: Precision of matrix products; the caller enters `matmul_precision`.
        rows: Batch size.
        machine: Where it runs.
    """

    def __init__(self, shape: Shape, precision: Precision, rows: int, machine: Machine) -> None:
        config = make_config(shape.family, {**shape.keys, "embedding_dim": shape.chunk_dim})
        tokens, device = config.num_tokens, machine.device
        torch.manual_seed(0)
        ranker = build_ranker(shape.family, config, _one_field_per_token(tokens)).to(device)
        self._forward: Any = ranker
        self._optimizer = build_optimizer(
            ranker, ranker.no_decay_names(), DenseOptimizerConfig(weight_decay=0.01)
        )
        for group in self._optimizer.param_groups:
            group["capturable"] = machine.is_cuda  # step counts stay on the GPU
        fields = torch.randn(rows, tokens, shape.chunk_dim, device=device)
        self._fields = fields.requires_grad_()
        self._numeric = torch.zeros(rows, 0, device=device)
        self._label = (torch.rand(rows, device=device) < 0.3).float()
        self._weight = torch.full_like(self._label, 1 / rows)
        self._precision, self._device = precision, device

    def compile(self, backend: str, *, with_sinkhorn: bool) -> None:
        """Have `torch.compile` compile the model, including its backward, at the next call.

        Args:
            backend: The compiler's backend.
            with_sinkhorn: Whether to compile Sinkhorn's unrolled iterations, which takes minutes.
        """
        patterns: Iterable[Any] = [] if with_sinkhorn else self._forward.modules()
        for pattern in patterns:
            if isinstance(pattern, TemperedPattern):
                disable: Any = torch.compiler.disable  # it has no type hints
                pattern._compute = disable(pattern._compute)  # type: ignore[method-assign]
        self._forward = torch.compile(self._forward, backend=backend)

    def __call__(self) -> None:
        self._optimizer.zero_grad()
        self._fields.grad = None
        with autocast(self._precision, self._device):
            outputs = Outputs.of(self._forward(self._fields, self._numeric))
        torch.autograd.backward(task_loss(outputs, self._label, self._weight))
        self._optimizer.step()


def _one_field_per_token(tokens: int) -> FeatureLayout:
    fields = tuple(
        FieldLayout(name=f"chunk{index}", domain="any", kind="categorical")
        for index in range(tokens)
    )
    return FeatureLayout(fields=fields, num_rows=0, pad_rows=())
