"""The cost of one model: parameters, FLOPs and activation memory, by part and in total.

One multiply-add is 2 FLOPs, and training is 3 forwards. Work done once per step (composing and
normalising mixing matrices) is counted once.
"""

from dataclasses import dataclass
from typing import Any

from mixfront.models._base import RankerConfig
from mixfront.models.activation_memory import MEGABYTE, ActivationMemory

PAPER_BATCH = 2048  # samples per batch in the published FLOPs/batch
TRAINING = 3  # in forwards: the forward itself, and a backward that costs two


@dataclass(frozen=True, kw_only=True)
class PartCost:
    """Cost of the tokenizer, the blocks or the head; FLOPs are of one forward."""

    params: int
    per_sample: int
    per_step: int = 0
    per_sample_training: int = 0  # additional FLOPs, which serving skips

    def training_flops(self, batch_size: int) -> int:
        """FLOPs of one training step, forward and backward."""
        per_sample = self.per_sample + self.per_sample_training
        return TRAINING * (per_sample * batch_size + self.per_step)


@dataclass(frozen=True, kw_only=True)
class ModelCost:
    """Cost of one configuration of a family; `activations` only if `count_cost` counted them."""

    family: str
    config: RankerConfig
    batch_size: int
    embedding_params: int
    tokenizer: PartCost
    blocks: PartCost
    head: PartCost
    activations: ActivationMemory | None = None

    @property
    def dense_params(self) -> int:
        """All parameters except the embedding tables."""
        return self.tokenizer.params + self.blocks.params + self.head.params

    @property
    def flops_per_sample(self) -> int:
        """Forward FLOPs per sample when serving, with mixing matrices already computed."""
        return self.tokenizer.per_sample + self.blocks.per_sample + self.head.per_sample

    def training_flops(self, batch_size: int) -> int:
        """FLOPs of one training step on `batch_size` rows."""
        parts = (self.tokenizer, self.blocks, self.head)
        return sum(part.training_flops(batch_size) for part in parts)

    def to_json(self) -> dict[str, Any]:
        """The output of `mixfront cost --json`; has "memory" only if activations were counted."""
        size = self.batch_size
        report = {
            "family": self.family,
            "config": self.config.model_dump(mode="json"),
            "batch_size": size,
            "params": {
                "embedding": self.embedding_params,
                "tokenizer": self.tokenizer.params,
                "blocks": self.blocks.params,
                "head": self.head.params,
                "dense": self.dense_params,
            },
            "flops": {
                "forward_per_sample": self.flops_per_sample,
                "train_per_batch": {
                    "tokenizer": self.tokenizer.training_flops(size),
                    "blocks": self.blocks.training_flops(size),
                    "head": self.head.training_flops(size),
                    "total": self.training_flops(size),
                },
            },
        }
        if self.activations is not None:
            report["memory"] = {
                "activation_bytes_per_sample": self.activations.per_sample,
                "activation_bytes_per_step": self.activations.per_step,
                "activation_bytes_per_batch": self.activations.of_batch(size),
            }
        return report

    def metrics(self) -> dict[str, float]:
        """The costs that a search may constrain or minimise.

        `params` counts dense parameters. `flops` is for one training step on 2,048 samples,
        whatever the batch size, as in the papers' tables, and `activation_mb`, if counted, is for
        2,048 samples too. `flops_per_sample` is for one forward.
        """
        metrics = {
            "params": float(self.dense_params),
            "params_total": float(self.dense_params + self.embedding_params),
            "flops": float(self.training_flops(PAPER_BATCH)),
            "flops_per_sample": float(self.flops_per_sample),
        }
        if self.activations is not None:
            metrics["activation_mb"] = self.activations.of_batch(PAPER_BATCH) / MEGABYTE
        return metrics
