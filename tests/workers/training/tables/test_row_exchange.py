"""Row gradients of several ranks, simulated in one process."""

import torch
from torch import Tensor

from mixfront.training.ranks import Ranks
from mixfront.training.tables.row_exchange import exchange


class SimulatedRanks(Ranks):
    """Rank 0 of two; the other rank's tensors are given in advance, in call order."""

    def with_other(self, tensors: list[Tensor]) -> "SimulatedRanks":
        object.__setattr__(self, "_other", tensors)
        return self

    def all_gather(self, tensor: Tensor) -> Tensor:
        tensors: list[Tensor] = object.__getattribute__(self, "_other")
        other = tensors.pop(0)
        assert other.shape == tensor.shape
        return torch.stack([tensor, other])


def test_duplicates_are_summed_over_ranks() -> None:
    head = torch.tensor([0.25, 3], dtype=torch.float64)
    ids = torch.tensor([1, 2, 9])
    grads = torch.tensor([[1.0, 1], [2, 2], [3, 3]])
    ranks = SimulatedRanks(rank=0, world_size=2, device="cpu").with_other([head, ids, grads])
    own = torch.tensor([[10.0, 10], [20, 20]])
    merged = exchange(ranks, torch.tensor([2, 5]), own, torch.tensor(0.5))
    assert merged.row_ids.tolist() == [1, 2, 5, 9]
    assert merged.grads.tolist() == [[1, 1], [12, 12], [20, 20], [3, 3]]
    assert merged.loss == 0.75


def test_a_rank_without_rows_takes_part() -> None:
    head = torch.tensor([0.0, 0], dtype=torch.float64)
    other = [head, torch.zeros(2, dtype=torch.int64), torch.zeros(2, 1)]
    ranks = SimulatedRanks(rank=0, world_size=2, device="cpu").with_other(other)
    merged = exchange(ranks, torch.tensor([0, 5]), torch.ones(2, 1), torch.tensor(1.0))
    assert merged.row_ids.tolist() == [0, 5]
    assert merged.grads.tolist() == [[1.0], [1.0]]


def test_nan_on_another_rank_reaches_this_one() -> None:
    head = torch.tensor([float("nan"), 0], dtype=torch.float64)
    other = [head, torch.zeros(1, dtype=torch.int64), torch.zeros(1, 1)]
    ranks = SimulatedRanks(rank=0, world_size=2, device="cpu").with_other(other)
    loss = exchange(ranks, torch.tensor([3]), torch.ones(1, 1), torch.tensor(1.0)).loss
    assert loss != loss


def test_a_single_rank_exchanges_nothing() -> None:
    row_ids, grads = torch.tensor([4, 7]), torch.ones(2, 3)
    merged = exchange(Ranks(rank=0, world_size=1, device="cpu"), row_ids, grads, torch.tensor(2.0))
    assert merged.row_ids is row_ids
    assert merged.grads is grads
    assert merged.loss == 2.0
