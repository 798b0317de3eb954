"""One trial in one worker group: trains, evaluates, writes checkpoints, exports the model."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from mixfront.data import Batch, EncodedSplit, TrainBatches
from mixfront.exceptions import AbortedError, SpecError, TrialError
from mixfront.models import Ranker, make_config, serving_weights
from mixfront.training.checkpoints.checkpoint import Checkpoints
from mixfront.training.checkpoints.intact import intact_checkpoint
from mixfront.training.checkpoints.manifest import Identity, TrainingProgress
from mixfront.training.diagnostics.expert_load import ExpertLoads
from mixfront.training.evaluate import evaluate
from mixfront.training.evaluation import Evaluation
from mixfront.training.export import SAMPLE_ROWS, export_model
from mixfront.training.latency import LATENCIES, RAW_ROWS, measure_latency
from mixfront.training.mixing_log import MixingLog
from mixfront.training.native_bf16 import has_native_bf16
from mixfront.training.predict import Predictor, Scorer
from mixfront.training.ranks import Ranks
from mixfront.training.request import TEST_PREFIX, TrialRequest
from mixfront.training.schedules import evaluation_steps
from mixfront.training.throughput import utilisation
from mixfront.training.trainer import Trainer
from mixfront.training.trial_data import TrialData

# Settings that may differ between a checkpoint and the trial that resumes from it.
NOT_IN_IDENTITY = {"keep_checkpoints", "eval_batch_size", "evaluate_every"}


class TrialSession:
    """A trial, built on every rank; every method is a collective.

    It resumes from `request.resume_from` if that is set, with bit-identical results on the same
    machine. If that checkpoint is damaged, it resumes from the newest intact one before it, or
    starts from the beginning.

    Args:
        request: The trial to train.
        device: Device of this rank, "cpu" or "cuda:<i>".
        data_group: Process group of the trial's ranks; None = the default group. Without any
            process group, one of only this process is created.

    Raises:
        UsageError: If the request is invalid.
        DataError: If the data cannot be used.
        TrialError: If the checkpoint to resume from belongs to another trial or cannot be read.
    """

    def __init__(
        self, request: TrialRequest, *, device: str = "cpu", data_group: Any = None
    ) -> None:
        self.request = request = _with_precision(request, device)
        self.latest = request.resume_from  # URL of the last checkpoint
        training = request.training
        self._ranks = Ranks.join(device, data_group)
        self._config = make_config(request.family, request.model)
        self._require_rows_per_rank()
        self._data = TrialData(request.data)
        self._ranks.barrier()  # a node may have to encode the data first
        self._batches = TrainBatches(
            self._data.train,
            batch_size=training.batch_size,
            rank=self._ranks.rank,
            world_size=self._ranks.world_size,
            seed=training.seed,
        )
        self.total_steps = training.passes * self._batches.steps_per_pass
        self._evaluation_steps = evaluation_steps(self.total_steps, training.evaluate_every)
        self._progress = TrainingProgress()
        self._batch_iterator: Iterator[Batch] | None = None
        self._exported: tuple[str, dict[str, float]] | None = None
        self.last_loss = math.nan  # of the last step, over all ranks
        self._trainer = Trainer(
            request.family,
            self._config,
            self._data.encoder.layout,
            training,
            zero_stage=request.zero_stage,
            total_steps=self.total_steps,
            ranks=self._ranks,
        )
        self._checkpoints = Checkpoints(
            request.folder,
            keep=training.keep_checkpoints,
            ranks=self._ranks,
            identity=self._identity(),
        )
        self._mixing_log = MixingLog(
            request.folder,
            f"trial {request.trial_id} {request.family}",
            self._trainer.initial_mixing,
            writes=self._ranks.is_first,
        )
        self._resume()
        self._ranks.barrier()  # every rank reads a checkpoint at its own speed

    @property
    def step(self) -> int:
        """Optimizer steps so far."""
        return self._progress.step

    @property
    def fidelity(self) -> float:
        """Share of all steps of all passes so far."""
        return self.step / self.total_steps

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        """Train to the next evaluation point, evaluate, write a checkpoint.

        At full fidelity it also exports the model. The metrics are then those of the exported
        model in fp32, also on the test rows if there are any (`test_*`), and its latencies.

        Args:
            check: Called after every step on every rank; stops the trial if it returns True,
                which it must do on all ranks at the same step.

        Raises:
            AbortedError: If `check` returned True; `latest` is the checkpoint written before.
            DivergedError: On every rank, if the loss or a score is not finite on any of them.
        """
        self._checkpoints.prune(self.step)  # the caller has recorded the last one by now
        target = next(
            (p for p in self._evaluation_steps if p > self._progress.evaluated_step), self.step
        )
        first, timer = self.step, _Timer()
        with timer("train"):
            rows = self._train_to(target, check)
        metrics = self._training_metrics(rows, self.step - first, timer.seconds["train"])
        model_url = None
        if target < self.total_steps:
            with timer("evaluate"):
                metrics |= self._evaluate()
            with timer("checkpoint"):
                url = self._mark_evaluated()
        else:
            with timer("checkpoint"):  # before the export, so that nothing is lost if that fails
                url = self._mark_evaluated()
            with timer("evaluate"):
                model_url, final_metrics = self._final_model()
            metrics |= final_metrics
        return Evaluation(
            step=self.step,
            fidelity=self.fidelity,
            metrics=metrics,
            checkpoint=url,
            model_url=model_url,
            seconds=timer.seconds,
        )

    def checkpoint(self) -> str:
        """Write a checkpoint of the current step; returns its URL."""
        self.latest = self._checkpoints.save(
            self._trainer.engine,
            self._trainer.tables,
            self._trainer.sparse,
            progress=self._progress,
            steps_per_pass=self._batches.steps_per_pass,
            tau=self._trainer.tau(self.step),
        )
        return self.latest

    def finish(self) -> str:
        """Export the trained model and evaluate it in fp32, once; returns the folder's URL.

        Raises:
            TrialError: Before full fidelity.
        """
        return self._final_model()[0]

    def close(self) -> None:
        """Free everything; the session cannot be used afterwards."""
        self._trainer.close()
        self._data.close()
        del self._trainer, self._batches, self._batch_iterator
        self._checkpoints.prune(self.step)

    def _require_rows_per_rank(self) -> None:
        training = self.request.training
        if -(-training.batch_size // self._ranks.world_size) < training.gradient_accumulation:
            raise SpecError(
                f"training.gradient_accumulation is {training.gradient_accumulation}, more than "
                f"each rank's rows in a batch of {training.batch_size}; raise training.batch_size"
            )

    def _final_model(self) -> tuple[str, dict[str, float]]:
        """URL and metrics of the exported model."""
        if self.step < self.total_steps:
            raise TrialError(
                f"the trial is at step {self.step} of {self.total_steps}; train it to the end "
                "before exporting the model"
            )
        if self._exported is None:
            self._exported = self._export()
        return self._exported

    def _identity(self) -> Identity:
        request = self.request
        return Identity(
            family=request.family,
            model=self._config.model_dump(mode="json"),
            training=request.training.model_dump(mode="json", exclude=NOT_IN_IDENTITY),
            zero_stage=request.zero_stage,
            world_size=self._ranks.world_size,
            total_steps=self.total_steps,
            encoder=self._data.encoder.digest,
        )

    def _resume(self) -> None:
        trainer = self._trainer
        try:
            if self.latest is not None:
                self.latest = intact_checkpoint(self._checkpoints, self.latest, self._ranks)
            if self.latest is not None:
                self._progress = self._checkpoints.load(
                    self.latest, trainer.engine, trainer.tables, trainer.sparse
                )
        except TrialError:
            trainer.close()
            raise

    def _train_to(self, target: int, check: Callable[[int], bool] | None) -> float:
        """Train up to a step; returns the number of rows trained on."""
        rows = 0.0
        while self.step < target:
            batch = self._next_batch()
            if self.step == 0 and self.request.training.quiet_start:
                self._trainer.start_quietly(batch, self._data.encoder.label_log_odds)
            is_last = self.step + 1 == target
            self.last_loss = self._trainer.step(batch, self.step, inspect=is_last)
            rows += batch.global_weight
            self._progress = self._progress.after_step(self.last_loss)
            if check is not None and check(self.step):
                url = self.checkpoint()
                raise AbortedError(f"stopped after step {self.step}, with a checkpoint at {url}")
        return rows

    def _next_batch(self) -> Batch:
        pass_index, step_in_pass = divmod(self.step, self._batches.steps_per_pass)
        if self._batch_iterator is None or step_in_pass == 0:
            self._batch_iterator = self._batches.one_pass(pass_index, step_in_pass)
        return next(self._batch_iterator)

    def _evaluate(self) -> dict[str, float]:
        self._trainer.prepare_evaluation(self.step)
        module = self._trainer.engine.module
        metrics = self._validate(self._trainer.score, module)
        return metrics | self._record_mixing(module)

    def _record_mixing(self, ranker: nn.Module) -> dict[str, float]:
        return self._mixing_log.record(ranker, self.step, self._trainer.mixing_gradients)

    def _validate(
        self, score: Callable[[Batch], torch.Tensor], ranker: nn.Module
    ) -> dict[str, float]:
        """Metrics of the validation split and the loads of the ranker's experts on it."""
        with ExpertLoads(ranker, self._ranks) as loads:
            metrics = self._metrics_of(score, self._data.validation)
        return metrics | loads.metrics()

    def _metrics_of(
        self, score: Callable[[Batch], torch.Tensor], split: EncodedSplit
    ) -> dict[str, float]:
        batch_size = self.request.training.eval_batch_size
        return evaluate(score, split, batch_size=batch_size, ranks=self._ranks)

    def _mark_evaluated(self) -> str:
        self._progress = TrainingProgress(step=self.step, evaluated_step=self.step)
        return self.checkpoint()

    def _training_metrics(self, rows: float, steps: int, seconds: float) -> dict[str, float]:
        """Loss and speed, omitted if no step was taken, as may happen after resuming."""
        metrics = {}
        if self._progress.loss_steps:
            metrics["train_loss"] = self._progress.loss_sum / self._progress.loss_steps
        if steps:
            metrics["samples_per_s"] = rows / seconds
            metrics["step_seconds"] = seconds / steps
            metrics |= utilisation(
                self._trainer.flops_per_step * steps,
                seconds,
                device=self._ranks.device,
                precision=self.request.training.precision,
                world_size=self._ranks.world_size,
            )
        return metrics

    def _export(self) -> tuple[str, dict[str, float]]:
        request, trainer = self.request, self._trainer
        trainer.prepare_evaluation(self.step)
        scorer = Scorer(
            request.family,
            request.model,
            self._data.encoder.layout,
            serving_weights(trainer.engine.weights()),
            trainer.tables.weight,
        )
        metrics = self._final_metrics(scorer) | self._record_mixing(scorer.ranker)
        metrics |= self._latencies(scorer)
        url = f"{request.folder.rstrip('/')}/final"
        if self._ranks.is_first:
            about, sample = (
                self._model_json(metrics, scorer.ranker),
                self._data.raw_sample(SAMPLE_ROWS),
            )
            export_model(url, Predictor(self._data.encoder, scorer, about), sample)
            self._mixing_log.draw(scorer.ranker)
        self._ranks.barrier()
        return url, metrics

    def _final_metrics(self, scorer: Scorer) -> dict[str, float]:
        metrics = self._validate(scorer.probabilities, scorer.ranker)
        if self._data.test is not None:
            values = self._metrics_of(scorer.probabilities, self._data.test)
            metrics |= {TEST_PREFIX + name: value for name, value in values.items()}
        return metrics

    def _latencies(self, scorer: Scorer) -> dict[str, float]:
        """Latencies, measured on rank 0 while the other ranks wait and use no CPU."""
        latencies = [math.nan] * len(LATENCIES)
        if self._ranks.is_first:
            predictor = Predictor(self._data.encoder, scorer, {})
            measured = measure_latency(
                scorer.probabilities,
                predictor.predict,
                self._data.validation,
                self._data.raw_sample(RAW_ROWS),
                seconds=self.request.latency_seconds,
            )
            latencies = list(measured.values())
        return dict(zip(LATENCIES, self._ranks.broadcast(latencies), strict=True))

    def _model_json(self, metrics: dict[str, float], ranker: Ranker) -> dict[str, Any]:
        request = self.request
        return {
            "search_id": request.search_id,
            "trial_id": request.trial_id,
            "family": request.family,
            "model": self._config.model_dump(mode="json"),
            "training": request.training.model_dump(mode="json"),
            "layout": self._data.encoder.layout.model_dump(mode="json"),
            "encoder_digest": self._data.encoder.digest,
            "dataset_digest": self._data.digest,
            "columns": list(self._data.encoder.columns),
            "tau": self._trainer.tau(self.step),
            "start_scale": float(ranker.start_scale),
            "step": self.step,
            "metrics": metrics,
        }


def _with_precision(request: TrialRequest, device: str) -> TrialRequest:
    """The request with `precision: auto` resolved for this rank's device.

    A search resolves it for all its devices before it sends requests; this is for sessions
    without a search.
    """
    if request.training.precision != "auto":
        return request
    precision = "bf16" if has_native_bf16(device) else "fp32"
    training = request.training.model_copy(update={"precision": precision})
    return request.model_copy(update={"training": training})


class _Timer:
    """Wall time of named phases, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[phase] = time.perf_counter() - started
