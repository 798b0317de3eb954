"""How one configuration is trained: the `training:` section of a search spec."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DenseOptimizerConfig(_Frozen):
    """Optimizer of everything except the embedding tables; DeepSpeed shards its state."""

    kind: Literal["adam", "adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    # on lr, for the logits of learned mixing (1 instead of 10: AUC -0.003 after 82 steps)
    mixing_lr_factor: float = Field(10.0, gt=0)
    weight_decay: float = Field(0.0, ge=0)  # not applied to norms, biases or Sinkhorn logits
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    warmup: float = Field(0.0, ge=0, lt=1)  # share of all steps, during which lr rises linearly
    clip_norm: float = Field(0.0, ge=0)  # 0 = off


class EmbeddingOptimizerConfig(_Frozen):
    """Sparse optimizer of the embedding tables; updates only the rows of the batch."""

    kind: Literal["adagrad", "adam"] = "adam"
    lr: float = Field(1e-3, gt=0)
    l2: float = Field(0.0, ge=0)  # lambda in lambda/2 * |row|^2, on the rows of the batch
    init_std: float = Field(1e-4, gt=0)  # small: untrained ids add no noise (0.01: AUC -0.0025)


class TrainingConfig(_Frozen):
    """The `training:` section of a spec. `batch_size` is global, over all ranks."""

    passes: int = Field(1, ge=1)
    batch_size: int = Field(2048, ge=1)
    gradient_accumulation: int = Field(1, ge=1)  # micro-batches per step on each rank
    optimizer: DenseOptimizerConfig = DenseOptimizerConfig()
    embedding_optimizer: EmbeddingOptimizerConfig = EmbeddingOptimizerConfig()
    # auto: bf16 if all devices support it natively, else fp32; resolved when a search starts
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    evaluate_every: float = Field(0.25, gt=0, le=1)  # share of all steps of all passes
    eval_batch_size: int = Field(4096, ge=1)
    quiet_start: bool = True  # logits with a small deviation around the training labels' log-odds
    seed: int = 0
    keep_checkpoints: int = Field(2, ge=1)  # with 1, a damaged one leaves only the beginning
