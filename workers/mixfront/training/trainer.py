"""One optimizer step of a trial on all ranks: dense part in the engine, tables outside it."""

import itertools
import math

import torch
from torch import Tensor

from mixfront.data import Batch, FeatureLayout
from mixfront.exceptions import DivergedError
from mixfront.models import RankerConfig, build_ranker
from mixfront.models.mixing.view import Place, mixing_patterns
from mixfront.training.config import TrainingConfig
from mixfront.training.deepspeed.engine import DenseEngine
from mixfront.training.diagnostics.movement import InitialMixing
from mixfront.training.loss import extra_loss, task_loss
from mixfront.training.optimizer import build_optimizer, warmup_factor
from mixfront.training.quiet_start import quiet_factor
from mixfront.training.ranks import Ranks
from mixfront.training.schedules import restart_step, tau_at
from mixfront.training.tables.embedding import BatchEmbeddings, EmbeddingTables
from mixfront.training.tables.row_exchange import exchange
from mixfront.training.tables.sparse_optimizer import build_sparse_optimizer
from mixfront.training.throughput import training_flops


class Trainer:
    """A newly initialised model of a family, with its optimizers.

    The loss of a step is sum(weight * (bce + extras)) / global_weight over the rows of all ranks
    and micro-batches, so it depends neither on their number nor on padding (`loss.py`).

    Args:
        family: Name of the family.
        model: Config of the family.
        layout: Fields of the encoded rows.
        config: Training config.
        zero_stage: 0-3.
        total_steps: J, steps of the full budget, on which schedules depend.
        ranks: The ranks that train.
    """

    def __init__(
        self,
        family: str,
        model: RankerConfig,
        layout: FeatureLayout,
        config: TrainingConfig,
        *,
        zero_stage: int,
        total_steps: int,
        ranks: Ranks,
    ) -> None:
        self._config = config
        self._ranks = ranks
        self._total_steps = total_steps
        self._temperature = model.temperature()
        self._auxiliary_weight = model.auxiliary_weight()
        self._restart = restart_step(self._temperature, total_steps)
        torch.manual_seed(config.seed)  # the same weights on every rank
        ranker = build_ranker(family, model, layout).to(ranks.device)
        self._ranker = ranker
        self.initial_mixing = InitialMixing(ranker)
        self.mixing_gradients: dict[Place, float] = {}  # norms at the last inspected step
        self.flops_per_step = training_flops(family, ranker, config.batch_size)
        self.tables = EmbeddingTables.fresh(
            layout,
            model.embedding_dim,
            init_std=config.embedding_optimizer.init_std,
            seed=config.seed,
            with_events=ranker.uses_events,
        ).to(ranks.device)
        self.sparse = build_sparse_optimizer(self.tables, config.embedding_optimizer)
        optimizer = build_optimizer(
            ranker, ranker.no_decay_names(), config.optimizer, ranker.mixing_names()
        )
        self.engine = DenseEngine(ranker, optimizer, config, zero_stage=zero_stage, ranks=ranks)
        torch.manual_seed(
            config.seed * 65_537 + ranks.rank + 1
        )  # a different dropout on each rank

    def tau(self, step: int) -> float | None:
        """The temperature at a step; None if the family has none."""
        if self._temperature is None:
            return None
        return tau_at(self._temperature, step, self._total_steps)

    def step(self, batch: Batch, step: int, *, inspect: bool = False) -> float:
        """Train on one global batch (a collective).

        Args:
            batch: This rank's rows of the batch.
            step: Number of steps before this one.
            inspect: Whether to keep the norms of the mixing logits' gradients.

        Returns:
            The task loss on the global batch, without auxiliary losses, so that trials with and
            without them are comparable.

        Raises:
            DivergedError: On every rank, if a part of the loss or a gradient is not finite on any
                of them.
        """
        batch = batch.to(self._ranks.device)
        self._prepare_training(step)
        embeddings = self.tables.lookup(batch)
        loss = self._backward(batch, embeddings)
        grads = (
            torch.zeros_like(embeddings.rows)
            if embeddings.rows.grad is None
            else embeddings.rows.grad
        )
        summed = exchange(self._ranks, embeddings.row_ids, grads / self._ranks.world_size, loss)
        if not math.isfinite(summed.loss):
            raise DivergedError(
                f"the loss is {summed.loss} at step {step}; lower the learning rate"
            )
        if inspect:
            self.mixing_gradients = {
                place: self.engine.grad_norm(list(pattern.parameters()))
                for place, pattern in mixing_patterns(self._ranker).items()
            }
        if not self.engine.step(self._lr_factor(step)):
            raise DivergedError(f"gradients overflow at step {step}; lower the learning rate")
        self.sparse.step(summed.row_ids, summed.grads)
        return summed.loss

    def start_quietly(self, batch: Batch, bias: float) -> float:
        """Make the logits of a fresh model small, around `bias` (a collective).

        Args:
            batch: This rank's rows of the first batch.
            bias: Log-odds of the training labels.

        Returns:
            The factor on the logits, the same on every rank.
        """
        self.prepare_evaluation(0)
        factor = quiet_factor(self._logits(batch), batch.weight, self._ranks)
        self.engine.change_weights(lambda ranker: ranker.start_quietly(factor, bias))
        return factor

    def score(self, batch: Batch) -> Tensor:
        """Probabilities (N,) of a batch in the training precision (a collective under ZeRO 3)."""
        return torch.sigmoid(self._logits(batch))

    @torch.no_grad()
    def _logits(self, batch: Batch) -> Tensor:
        batch = batch.to(self._ranks.device)
        fields, events = self.tables.embed(batch), self.tables.events(batch)
        return self.engine.forward(fields, batch.numeric, *events).logits

    def prepare_evaluation(self, step: int) -> None:
        """Switch to evaluation at this step's temperature; the next `step` switches back."""
        self._set_tau(step)
        self.engine.train(False)

    def close(self) -> None:
        """Free the engine; the trainer cannot be used afterwards."""
        self.engine.close()

    def _prepare_training(self, step: int) -> None:
        self._set_tau(step)
        self.engine.train()
        if step == self._restart:
            self.engine.reset_optimizer()
            self.sparse.reset()

    def _set_tau(self, step: int) -> None:
        tau = self.tau(step)
        if tau is not None:
            self._ranker.set_tau(tau)

    def _lr_factor(self, step: int) -> float:
        start = self._restart if self._restart is not None and step >= self._restart else 0
        warmup_steps = math.ceil(self._config.optimizer.warmup * self._total_steps)
        return warmup_factor(step - start, warmup_steps)

    def _backward(self, batch: Batch, embeddings: BatchEmbeddings) -> Tensor:
        """Accumulate gradients; returns this rank's share of the task loss, a 0-dim tensor.

        It is not finite if the loss including its extras is not.
        """
        count, parts = len(batch.label), self._config.gradient_accumulation
        bounds = [count * part // parts for part in range(parts + 1)]
        total = torch.zeros((), device=batch.label.device)
        for start, stop in itertools.pairwise(bounds):
            fields, events = embeddings.fields(start, stop), embeddings.events(start, stop)
            outputs = self.engine.forward(fields, batch.numeric[start:stop], *events)
            label, weight = batch.label[start:stop], batch.weight[start:stop]
            task = task_loss(outputs, label, weight) / batch.global_weight
            extra = extra_loss(outputs, label, weight, self._auxiliary_weight)
            loss = task + extra / batch.global_weight
            # The engine averages over ranks, but the loss is a sum over them.
            self.engine.backward(loss * self._ranks.world_size)
            total += torch.where(loss.isfinite(), task, loss).detach()
        return total
