"""How one configuration is trained: the `training:` part of a search spec."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DenseOptimizerConfig(_Frozen):
    """Optimizer of everything but the embedding tables; DeepSpeed shards its state."""

    kind: Literal["adam", "adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)  # never on norms, biases or Sinkhorn logits
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    warmup: float = Field(0.0, ge=0, lt=1)  # share of all steps with linearly rising lr
    clip_norm: float = Field(0.0, ge=0)  # 0 = off


class EmbeddingOptimizerConfig(_Frozen):
    """Sparse optimizer of the embedding tables; touches the rows of the batch only."""

    kind: Literal["adagrad", "adam"] = "adam"
    lr: float = Field(1e-3, gt=0)
    l2: float = Field(0.0, ge=0)  # lambda of lambda/2 * |row|^2, over the rows of the batch
    init_std: float = Field(1e-4, gt=0)  # ids never trained on add no noise (0.01: AUC -0.0025)


class TrainingConfig(_Frozen):
    """The `training:` part of a spec. `batch_size` is global, over all ranks."""

    passes: int = Field(1, ge=1)
    batch_size: int = Field(2048, ge=1)
    gradient_accumulation: int = Field(1, ge=1)  # micro-batches per step and rank
    optimizer: DenseOptimizerConfig = DenseOptimizerConfig()
    embedding_optimizer: EmbeddingOptimizerConfig = EmbeddingOptimizerConfig()
    # auto: bf16 if every device multiplies it natively, else fp32; decided when a search starts
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    evaluate_every: float = Field(0.25, gt=0, le=1)  # share of all steps of all passes
    eval_batch_size: int = Field(4096, ge=1)
    seed: int = 0
    keep_checkpoints: int = Field(1, ge=1)
