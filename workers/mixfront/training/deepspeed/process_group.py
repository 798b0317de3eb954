"""The process group on which DeepSpeed trains at ZeRO stages 0 to 2.

DeepSpeed 0.19 clones the world group before its first engine, and the clone has torch's timeout of
30 minutes, whatever the world group has. `initialize` takes neither a group nor a timeout (an
`mpu` would bring more groups), so we put a group of ours where it looks for its clone. ZeRO 3 runs
most of its collectives on the world group.
"""

import sys
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

_MODULE = "deepspeed.utils.groups"


def share_group(device: str) -> None:
    """Give DeepSpeed a group with the world group's timeout; a collective the first time.

    Args:
        device: Of this rank, as torch names it.
    """
    from deepspeed.utils import groups

    if groups._WORLD_GROUP is None:
        groups._WORLD_GROUP = dist.new_group(timeout=_world_timeout(device))


def deepspeed_group() -> Any | None:
    """The group that DeepSpeed uses in this process; None before it has one."""
    groups = sys.modules.get(_MODULE)  # not imported by lanes that train without DeepSpeed
    return groups._WORLD_GROUP if groups is not None else None


def _world_timeout(device: str) -> timedelta:
    world: Any = dist.group.WORLD  # torch's stubs lack the method
    timeout: timedelta = world._get_backend(torch.device(device)).options._timeout
    return timeout
