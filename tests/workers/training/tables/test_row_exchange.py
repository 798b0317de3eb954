"""Row gradients of several ranks, played in one process."""

import torch
from torch import Tensor

from mixfront.training.ranks import Ranks
from mixfront.training.tables.row_exchange import exchange


class PlayedRanks(Ranks):
    """Rank 0 of two; the other rank's tensors are told beforehand, in the order of the calls."""

    def play(self, told: list[Tensor]) -> "PlayedRanks":
        object.__setattr__(self, "told", told)
        return self

    def all_gather(self, tensor: Tensor) -> Tensor:
        told: list[Tensor] = object.__getattribute__(self, "told")
        other = told.pop(0)
        assert other.shape == tensor.shape
        return torch.stack([tensor, other])


def test_duplicates_are_summed_over_ranks() -> None:
    heads = torch.tensor([0.25, 3], dtype=torch.float64)
    ids = torch.tensor([1, 2, 9])
    grads = torch.tensor([[1.0, 1], [2, 2], [3, 3]])
    ranks = PlayedRanks(rank=0, world_size=2, device="cpu").play([heads, ids, grads])
    mine = torch.tensor([[10.0, 10], [20, 20]])
    found = exchange(ranks, torch.tensor([2, 5]), mine, torch.tensor(0.5))
    assert found.row_ids.tolist() == [1, 2, 5, 9]
    assert found.grads.tolist() == [[1, 1], [12, 12], [20, 20], [3, 3]]
    assert found.loss == 0.75


def test_a_rank_without_rows_takes_part() -> None:
    heads = torch.tensor([0.0, 0], dtype=torch.float64)
    told = [heads, torch.zeros(2, dtype=torch.int64), torch.zeros(2, 1)]
    ranks = PlayedRanks(rank=0, world_size=2, device="cpu").play(told)
    found = exchange(ranks, torch.tensor([0, 5]), torch.ones(2, 1), torch.tensor(1.0))
    assert found.row_ids.tolist() == [0, 5]
    assert found.grads.tolist() == [[1.0], [1.0]]


def test_another_ranks_nan_reaches_this_one() -> None:
    heads = torch.tensor([float("nan"), 0], dtype=torch.float64)
    told = [heads, torch.zeros(1, dtype=torch.int64), torch.zeros(1, 1)]
    ranks = PlayedRanks(rank=0, world_size=2, device="cpu").play(told)
    loss = exchange(ranks, torch.tensor([3]), torch.ones(1, 1), torch.tensor(1.0)).loss
    assert loss != loss


def test_alone_nothing_is_exchanged() -> None:
    row_ids, grads = torch.tensor([4, 7]), torch.ones(2, 3)
    found = exchange(Ranks(rank=0, world_size=1, device="cpu"), row_ids, grads, torch.tensor(2.0))
    assert found.row_ids is row_ids
    assert found.grads is grads
    assert found.loss == 2.0
