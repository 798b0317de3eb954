"""Activation memory of a training step, counted without allocating it.

Runs one forward of the real module on torch's meta device and counts the tensors that autograd
saves for backward: every storage once, without parameters and buffers. This is the peak between
forward and backward, in addition to weights, gradients and optimizer state. It is linear in the
number of rows, which a test checks against real tensors.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel

from mixfront.data.batch import FeatureLayout
from mixfront.models.ranker import Ranker

MEGABYTE = 10**6


@dataclass(frozen=True, kw_only=True)
class ActivationMemory:
    """Bytes that autograd saves between forward and backward.

    Attributes:
        per_sample: Bytes per row.
        per_step: Bytes that do not depend on the number of rows, such as mixing matrices.
    """

    per_sample: int
    per_step: int

    def of_batch(self, batch_size: int) -> int:
        """Bytes of one step on `batch_size` rows on one device, without gradient accumulation."""
        return self.per_sample * batch_size + self.per_step


def count_activations(model: Ranker, layout: FeatureLayout) -> ActivationMemory:
    """Count with two forwards of the model, of 2 and 3 rows, on its own device.

    Counts fp32 activations, whatever the training precision. Attention uses the math backend,
    which saves the attention weights; fused kernels do not. The loss and the embedding lookup,
    which are not part of the model, are not counted.

    Args:
        model: Usually on the meta device.
        layout: The layout that the model was built for.
    """
    # Not 1 row: some transposed views of a single row are contiguous, so no copy is saved.
    two, three = (saved_bytes(model, layout, rows=rows) for rows in (2, 3))
    return ActivationMemory(per_sample=three - two, per_step=3 * two - 2 * three)


def saved_bytes(model: Ranker, layout: FeatureLayout, *, rows: int) -> int:
    """Bytes that autograd has saved after one forward in training mode."""
    of_model = {_storage_id(t) for t in (*model.parameters(), *model.buffers())}
    saved: dict[int, Tensor] = {}  # keeps tensors alive, because a freed storage's id is reused

    def record(tensor: Tensor) -> Tensor:
        if (storage := _storage_id(tensor)) not in of_model:
            saved[storage] = tensor
        return tensor

    fields, numeric, *events = blank_rows(model, layout, rows)
    for embedded in (fields, *events[:1]):
        embedded.requires_grad_()
    model.train()
    with (
        torch.enable_grad(),
        sdpa_kernel(SDPBackend.MATH),
        saved_tensors_hooks(record, lambda tensor: tensor),
    ):
        outputs = model(fields, numeric, *events)
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    assert logits.requires_grad  # logits hold the graph, so no saved tensor has been freed
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def blank_rows(model: Ranker, layout: FeatureLayout, rows: int) -> tuple[Tensor, ...]:
    """Inputs of `Ranker.forward`, all zero and without events, on the model's device."""
    device, dim = next(model.parameters()).device, model.config.embedding_dim
    num_numeric = len(layout.of_kind("numeric"))
    fields = torch.zeros(rows, len(layout.fields) - num_numeric, dim, device=device)
    numeric = torch.zeros(rows, num_numeric, device=device)
    if not model.uses_events:
        return fields, numeric
    length = sum(field.length for field in layout.of_kind("sequence"))
    events = torch.zeros(rows, length, dim, device=device)
    mask = torch.zeros(rows, length, dtype=torch.bool, device=device)
    return fields, numeric, events, mask, torch.zeros(rows, layout.num_ages(), device=device)


def _storage_id(tensor: Tensor) -> int:
    """Identifies the storage, but not by its address, because meta tensors have none."""
    return int(tensor.untyped_storage()._cdata)
