"""The ranks that train one trial together, and the few collectives that training needs."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import HashStore  # `torch.distributed` does not export it


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among its peers. Every method must be called by all ranks alike."""

    rank: int
    world_size: int
    device: str  # where tensors must lie for the group: NCCL moves CUDA memory only
    group: Any = None  # a torch process group; None = the default one

    @classmethod
    def join(cls, device: str, group: Any = None) -> "Ranks":
        """The ranks of a group that exists, or a group of this process alone.

        A group made here lives as long as the process: DeepSpeed remembers the first one it saw.
        """
        if not dist.is_initialized():
            backend = "nccl" if device.startswith("cuda") else "gloo"
            dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)
        return cls(
            rank=dist.get_rank(group),
            world_size=dist.get_world_size(group),
            device=device,
            group=group,
        )

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes what is written once."""
        return self.rank == 0

    def all_gather(self, tensor: Tensor) -> Tensor:
        """Tensors of one shape from all ranks, stacked in rank order: (world, *shape)."""
        if self.world_size == 1:
            return tensor.unsqueeze(0)
        gathered = tensor.new_empty((self.world_size, *tensor.shape))
        # gloo takes a flat output only, nccl any shape of the right size
        dist.all_gather_into_tensor(gathered.view(-1), tensor.flatten(), group=self.group)
        return gathered

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Tensors of one shape in rank order on rank 0; an empty list on the others."""
        if self.world_size == 1:
            return [tensor]
        empty = [torch.empty_like(tensor) for _ in range(self.world_size)] if self.is_first else []
        dist.gather(tensor.contiguous(), empty or None, group=self.group, group_dst=0)
        return empty

    def broadcast(self, values: list[float]) -> list[float]:
        """Rank 0's numbers on every rank; the others give a list of the same length."""
        if self.world_size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(tensor, group=self.group, group_src=0)
        return [float(value) for value in tensor.tolist()]

    def barrier(self) -> None:
        """Return once all ranks are here."""
        self.all_gather(torch.zeros(1, device=self.device)).cpu()
