"""Clears what DeepSpeed 0.19 retains of an engine after `engine.destroy()`.

Each of these caches keeps whole ZeRO 3 engines alive, or leaks a setting of one engine into the
next. A test builds twenty engines of every stage and asserts that none stays alive.
"""

import functools


def clear_engine_caches() -> None:
    """Release destroyed engines; call it only while no engine is in use."""
    from deepspeed.runtime import torch_autocast
    from deepspeed.runtime.zero import parameter_offload
    from deepspeed.runtime.zero.partitioned_param_coordinator import (
        PartitionedParameterCoordinator,
    )

    parameter_offload.FWD_MODULE_STACK.clear()
    torch_autocast.TORCH_AUTOCAST_INITIALIZED = False
    for method in vars(PartitionedParameterCoordinator).values():
        # An nvtx wrapper hides the method's lru_cache, whose keys are parts of the engine.
        for cell in getattr(method, "__closure__", None) or ():
            if isinstance(cell.cell_contents, functools._lru_cache_wrapper):
                cell.cell_contents.cache_clear()
