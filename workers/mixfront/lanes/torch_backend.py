"""Ray Train's backend for torch, which imports torch in workers only.

Ray's own `TorchConfig` imports torch in the processes that start the workers, too. What runs on a
worker is Ray's, and private; a Train run on a real cluster tests it.
"""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, final

import ray
from ray.exceptions import GetTimeoutError
from ray.train.backend import Backend, BackendConfig

_SHUTDOWN_TIMEOUT_S = 5.0


@final
@dataclass(frozen=True)
class TorchBackendConfig(BackendConfig):
    """The default process group of the workers."""

    backend: str  # "gloo" or "nccl"
    timeout_s: int  # of its collectives

    @property
    def backend_cls(self) -> type["TorchBackend"]:
        """What Ray Train calls."""
        return TorchBackend

    @property
    def train_func_context(self) -> Any:
        """Entered on every worker around the training function."""
        return _on_own_device


@final
class TorchBackend(Backend):
    """Creates the default process group, and destroys it."""

    share_cuda_visible_devices = True  # so that NCCL can use direct memory access

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Create the process group; Ray Train's controller calls it once all workers run."""
        size = len(worker_group)
        address, port = worker_group.execute_single(0, _address)
        ray.get(
            [
                worker_group.execute_single_async(
                    rank, _join, backend_config, address, port, rank, size
                )
                for rank in range(size)
            ]
        )

    def on_shutdown(self, worker_group: Any, backend_config: Any) -> None:  # noqa: ARG002 - Ray's signature
        """Destroy the process group, unless a worker hangs."""
        leaving = worker_group.execute_async(_leave, len(worker_group) > 1)
        try:
            ray.get(leaving, timeout=_SHUTDOWN_TIMEOUT_S)
        except GetTimeoutError:
            return


def _address() -> tuple[str, int]:
    from ray.train._internal.utils import get_address_and_port

    address: tuple[str, int] = get_address_and_port()
    return address


def _join(config: TorchBackendConfig, address: str, port: int, rank: int, size: int) -> None:
    from ray.train.torch.config import _set_torch_distributed_env_vars, _setup_torch_process_group

    os.environ |= {"MASTER_ADDR": address, "MASTER_PORT": str(port)}
    _set_torch_distributed_env_vars()  # type: ignore[no-untyped-call]  # untyped in Ray
    _setup_torch_process_group(
        backend=config.backend,
        world_rank=rank,
        world_size=size,
        init_method="env://",
        timeout_s=config.timeout_s,
    )


def _leave(destroy: bool) -> None:
    from ray.train.torch.config import _shutdown_torch

    _shutdown_torch(destroy_process_group=destroy)  # type: ignore[no-untyped-call]


def _on_own_device() -> AbstractContextManager[None]:
    from ray.train.torch.config import TorchConfigContextManager

    context: AbstractContextManager[None] = TorchConfigContextManager()
    return context
