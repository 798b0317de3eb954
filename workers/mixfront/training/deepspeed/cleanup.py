"""What DeepSpeed 0.19 keeps of an engine after `engine.destroy()`.

Each of these holds whole ZeRO 3 engines, or leaks one engine's setting into the next; a test
makes twenty engines of every stage and finds none alive.
"""

import functools


def clear_engine_caches() -> None:
    """Let go of engines that are destroyed; call while none is in use."""
    from deepspeed.runtime import torch_autocast
    from deepspeed.runtime.zero import parameter_offload
    from deepspeed.runtime.zero.partitioned_param_coordinator import (
        PartitionedParameterCoordinator,
    )

    parameter_offload.FWD_MODULE_STACK.clear()
    torch_autocast.TORCH_AUTOCAST_INITIALIZED = False
    for method in vars(PartitionedParameterCoordinator).values():
        # A method's lru_cache, keyed by the engine's parts, hides inside an nvtx wrapper.
        for cell in getattr(method, "__closure__", None) or ():
            if isinstance(cell.cell_contents, functools._lru_cache_wrapper):
                cell.cell_contents.cache_clear()
