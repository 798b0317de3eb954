"""Memory that a training step keeps for its backward pass, without taking it.

Counted are the tensors that autograd saves in one forward of the real module on torch's meta
device: each storage once, parameters and buffers left out. That is the peak between forward and
backward, beside weights, gradients and optimizer state. It is linear in the rows, which a test
holds against real tensors.
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
    """Bytes that autograd keeps between forward and backward.

    Attributes:
        per_sample: Of every row.
        per_step: However many rows there are: what mixing matrices are made of.
    """

    per_sample: int
    per_step: int

    def of_batch(self, batch_size: int) -> int:
        """Bytes of one step on `batch_size` rows in one piece, on one device."""
        return self.per_sample * batch_size + self.per_step


def count_activations(model: Ranker, layout: FeatureLayout) -> ActivationMemory:
    """Count from two forwards of a model, of 2 and 3 rows, on its own device.

    In fp32, whatever the precision of training. Attention is counted on its math path, which
    keeps the attention weights; fused kernels do not. The loss and the embedding rows, which
    lie outside, are left out.

    Args:
        model: Usually on the meta device.
        layout: The fields that it was built for.
    """
    # Not 1 row: some transposed views of it are contiguous, and no copy of them is made.
    two, three = (kept_bytes(model, layout, rows=rows) for rows in (2, 3))
    return ActivationMemory(per_sample=three - two, per_step=3 * two - 2 * three)


def kept_bytes(model: Ranker, layout: FeatureLayout, *, rows: int) -> int:
    """Bytes that autograd keeps after one forward in training mode."""
    own = {_storage(t) for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}  # the tensors too: a storage that is freed gives its place away

    def keep(tensor: Tensor) -> Tensor:
        if (storage := _storage(tensor)) not in own:
            kept[storage] = tensor
        return tensor

    fields, numeric, *events = blank_rows(model, layout, rows)
    for embedded in (fields, *events[:1]):
        embedded.requires_grad_()
    model.train()
    with (
        torch.enable_grad(),
        sdpa_kernel(SDPBackend.MATH),
        saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        outputs = model(fields, numeric, *events)
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    assert logits.requires_grad  # and holds the graph, so that nothing was freed meanwhile
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def blank_rows(model: Ranker, layout: FeatureLayout, rows: int) -> tuple[Tensor, ...]:
    """Zeros on the model's device: fields, numeric values, and if it reads them no events.

    As `Ranker.forward` takes them.
    """
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


def _storage(tensor: Tensor) -> int:
    """Which storage it lies in; meta tensors have no address."""
    return int(tensor.untyped_storage()._cdata)
