"""The ranks that train one trial, and the few collectives that training needs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import HashStore  # `torch.distributed` does not export it

_WAIT = timedelta(days=1)  # a lane's watchdog finds a hang much sooner
_waiting_groups = dict[Any, Any]()  # by the group whose ranks wait


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process in its group. All ranks must call the same methods in the same order.

    Training's collectives run on `group` and have a short timeout. Ranks wait for slow work of
    another rank on `waiting_group`.
    """

    rank: int
    world_size: int
    device: str  # of tensors in collectives: NCCL handles only CUDA memory
    group: Any = None  # a torch process group; None = the default one
    waiting_group: Any = None  # of the same ranks, on gloo, so that a waiting rank uses no CPU

    @classmethod
    def join(cls, device: str, group: Any = None) -> "Ranks":
        """The ranks of an existing group, or of a new group of only this process.

        A group created here lives as long as the process, as DeepSpeed keeps the first group it
        sees. The first call for a group is a collective of all processes: it creates
        `waiting_group`.
        """
        if not dist.is_initialized():
            backend = "nccl" if device.startswith("cuda") else "gloo"
            dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
        return cls(
            rank=dist.get_rank(group),
            world_size=dist.get_world_size(group),
            device=device,
            group=group,
            waiting_group=_make_waiting_group(group or dist.group.WORLD),
        )

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes the files that all ranks share."""
        return self.rank == 0

    def all_gather(self, tensor: Tensor) -> Tensor:
        """Tensors of equal shape from all ranks, stacked in rank order: (world, *shape)."""
        if self.world_size == 1:
            return tensor.unsqueeze(0)
        gathered = tensor.new_empty((self.world_size, *tensor.shape))
        # gloo accepts only a flat output, NCCL any shape of the right size
        dist.all_gather_into_tensor(gathered.view(-1), tensor.flatten(), group=self.group)
        return gathered

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """On rank 0 the tensors of all ranks, of equal shape; an empty list on the others."""
        if self.world_size == 1:
            return [tensor]
        gathered = (
            [torch.empty_like(tensor) for _ in range(self.world_size)] if self.is_first else []
        )
        dist.gather(tensor.contiguous(), gathered or None, group=self.group, group_dst=0)
        return gathered

    def broadcast(self, values: list[float]) -> list[float]:
        """Rank 0's values on every rank; the others pass a list of the same length.

        The others wait for as long as rank 0 needs to compute the values.
        """
        if self.world_size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.broadcast(tensor, group=self.waiting_group, group_src=0)
        return [float(value) for value in tensor.tolist()]

    def highest(self, value: int) -> int:
        """The highest value of all ranks, which wait for as long as the slowest needs."""
        if self.world_size == 1:
            return value
        tensor = torch.tensor(value)
        dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self.waiting_group)
        return int(tensor)

    def barrier(self) -> None:
        """Wait for all ranks, for as long as they need."""
        if self.world_size > 1:
            dist.all_reduce(torch.zeros(1), group=self.waiting_group)


def waiting_group() -> Any | None:
    """The waiting group of the default group; None before `Ranks.join`."""
    return _waiting_groups.get(dist.group.WORLD)


def _make_waiting_group(group: Any) -> Any | None:
    if dist.get_world_size(group) > 1 and group not in _waiting_groups:
        members = dist.get_process_group_ranks(group)
        _waiting_groups[group] = dist.new_group(members, timeout=_WAIT, backend="gloo")
    return _waiting_groups.get(group)
