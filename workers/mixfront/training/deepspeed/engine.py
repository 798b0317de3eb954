"""The dense part in a DeepSpeed engine, ZeRO 0-3.

DeepSpeed is imported when the first engine is built, as the import takes seconds and the device
must be known before it. Three places rely on private parts of DeepSpeed 0.19: `_partitions`, the
tensors that own the optimizer state, `cleanup.py` and `process_group.py`.
"""

import argparse
import contextlib
import gc
import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mixfront.training.config import TrainingConfig
from mixfront.training.deepspeed.cleanup import clear_engine_caches
from mixfront.training.deepspeed.cpu_op import build_cpu_op
from mixfront.training.deepspeed.process_group import share_group
from mixfront.training.loss import Outputs
from mixfront.training.ranks import Ranks

MAX_BUCKET = 200_000_000  # elements that one collective reduces or gathers


def import_deepspeed(device: str, *, build_op: bool = True) -> Any:
    """Import DeepSpeed for a device, without its console output.

    Args:
        device: As torch names it.
        build_op: Whether to build the op that DeepSpeed needs to train on a CPU.
    """
    if not device.startswith("cuda"):
        os.environ["DS_ACCELERATOR"] = "cpu"
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # from its own imports: nothing we can fix
        import deepspeed

        deepspeed.utils.logger.setLevel("ERROR")
        if build_op and not device.startswith("cuda"):
            build_cpu_op(deepspeed)
    # ZeRO 3 calls it at every step.
    warnings.filterwarnings("ignore", r"`torch\.distributed\..*is deprecated", FutureWarning)
    return deepspeed


class DenseEngine:
    """A module, its optimizer and the collectives between ranks.

    Args:
        module: The dense part, with the same weights on every rank.
        optimizer: The result of `build_optimizer` for the module's parameters.
        config: Accumulation, clipping, precision.
        zero_stage: What is partitioned over ranks: 0 nothing, 1 optimizer state, 2 also
            gradients, 3 also parameters.
        ranks: The ranks that train; their device is the module's.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        config: TrainingConfig,
        *,
        zero_stage: int,
        ranks: Ranks,
    ) -> None:
        self._deepspeed = import_deepspeed(ranks.device)
        share_group(ranks.device)
        self._stage = zero_stage
        self._ranks = ranks
        self._optimizer = optimizer
        self._lrs = [group["lr"] for group in optimizer.param_groups]
        index = torch.device(ranks.device).index or 0
        os.environ.setdefault("LOCAL_RANK", str(index))  # DeepSpeed does not start without it
        num_params = sum(parameter.numel() for parameter in module.parameters())
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            self._engine, *_ = self._deepspeed.initialize(
                args=argparse.Namespace(device_rank=index),
                model=module,
                optimizer=optimizer,
                config=engine_config(config, zero_stage, num_params),
            )

    @property
    def module(self) -> nn.Module:
        """The dense part; under ZeRO 3 its parameters are empty outside the forward pass."""
        module: nn.Module = self._engine.module
        return module

    def forward(self, *inputs: Tensor) -> Outputs:
        """Outputs of the module in fp32, computed in the training precision."""
        return Outputs.of(self._engine(*inputs))

    def backward(self, loss: Tensor) -> None:
        """Accumulate the gradients of a micro-batch; the last one averages them over ranks."""
        self._engine.backward(loss, scale_wrt_gas=False)
        if not self._engine.is_gradient_accumulation_boundary():
            self._engine.step()  # only counts the micro-batch

    def step(self, lr_factor: float = 1.0) -> bool:
        """Update the weights; False if gradients are not finite and the update was skipped."""
        for group, lr in zip(self._optimizer.param_groups, self._lrs, strict=True):
            group["lr"] = lr * lr_factor
        self._engine.step()
        return bool(self._engine.skipped_steps == 0)

    def grad_norm(self, parameters: Sequence[nn.Parameter]) -> float:
        """Norm of some parameters' gradients over all ranks, before clipping (a collective).

        Only between the last `backward` and `step`; at stages 2 and 3 it gathers the gradients.
        """
        gradient = self._deepspeed.utils.safe_get_full_grad
        gradients = [gradient(parameter) for parameter in parameters]
        return float(torch.stack([g.float().norm() for g in gradients]).norm())

    def train(self, mode: bool = True) -> None:
        """Switch between training and evaluation."""
        self._engine.train(mode)

    def weights(self) -> dict[str, Tensor]:
        """Full parameters and buffers on the CPU, on every rank (a collective)."""
        with self._gathered(None):
            state = self.module.state_dict()
            return {name: value.detach().cpu().clone() for name, value in state.items()}

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Load full weights, the same on every rank (a collective)."""
        self.change_weights(lambda module: module.load_state_dict(weights))

    def change_weights(self, change: Callable[[Any], object]) -> None:
        """Change the module's full weights in place, the same on every rank (a collective)."""
        with self._gathered(0):
            change(self.module)
        if self._stage:
            # ZeRO trains an fp32 copy of its partition, which must follow.
            self._engine.optimizer.refresh_fp32_params()

    def optimizer_state(self) -> dict[str, Tensor]:
        """This rank's shard of the optimizer state, keyed "<partition>.<key>"."""
        return {
            f"{index}.{key}": value
            for index, partition in enumerate(self._partitions())
            for key, value in self._optimizer.state.get(partition, {}).items()
        }

    def load_optimizer_state(self, state: dict[str, Tensor]) -> None:
        """Load the `optimizer_state` of the same rank and ZeRO stage."""
        partitions = self._partitions()
        for partition in partitions:
            self._optimizer.state.pop(partition, None)
        for name, value in state.items():
            index, key = name.split(".", 1)
            partition = partitions[int(index)]
            # Step counts too: a fused optimizer reads them where the parameters are.
            self._optimizer.state[partition][key] = value.to(partition.device)

    def reset_optimizer(self) -> None:
        """Clear the optimizer state, as if training started from the current weights."""
        for partition in self._partitions():
            self._optimizer.state.pop(partition, None)

    def close(self) -> None:
        """Free the engine, including what DeepSpeed retains after `destroy`."""
        self._engine.destroy()
        clear_engine_caches()
        self._optimizer.state.clear()
        self._optimizer.param_groups.clear()
        del self._engine, self._optimizer
        gc.collect()

    def _partitions(self) -> list[Tensor]:
        """The tensors that own the optimizer state, in a fixed order."""
        if self._stage == 0:
            groups = self._optimizer.param_groups
            return [parameter for group in groups for parameter in group["params"]]
        if self._stage == 3:  # its param groups are empty between steps
            return list(self._engine.optimizer.fp32_partitioned_groups_flat)
        return list(self._engine.optimizer.single_partition_of_fp32_groups)

    @contextlib.contextmanager
    def _gathered(self, modifier_rank: int | None) -> Iterator[None]:
        """Full parameters inside the block, also under ZeRO 3; keeps `modifier_rank`'s changes."""
        parameters = list(self.module.parameters()) if self._stage == 3 else []
        if not parameters:
            yield
            return
        gather = self._deepspeed.zero.GatheredParameters
        with gather(parameters, modifier_rank=modifier_rank):
            yield


def engine_config(config: TrainingConfig, zero_stage: int, num_params: int) -> dict[str, Any]:
    """DeepSpeed's config for one engine.

    bf16 uses `torch_autocast`: `bf16.enabled` would pass the Sinkhorn logits to the forward pass
    in bfloat16. No module is listed as safe, so gradients are communicated in fp32.
    """
    bucket = min(num_params + num_params % 2, MAX_BUCKET)  # even; the default allocates 2 GB
    return {
        # We form batches ourselves; the value must only agree with the accumulation steps.
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": config.gradient_accumulation,
        "gradient_clipping": config.optimizer.clip_norm,
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {
            "stage": zero_stage,
            "reduce_bucket_size": bucket,
            "allgather_bucket_size": bucket,
        },
        "torch_autocast": {
            "enabled": config.precision == "bf16",
            "dtype": "bfloat16",
            "lower_precision_safe_modules": [],
        },
    }
