"""One trial in one worker group: train to an evaluation, evaluate, checkpoint, export."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mixfront.data import Batch, TrainBatches
from mixfront.exceptions import AbortedError, SpecError, TrialError
from mixfront.models import make_config, serving_weights
from mixfront.training.checkpoint import Checkpoints, Identity, TrainingProgress
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
from mixfront.training.throughput import mfu
from mixfront.training.trainer import Trainer
from mixfront.training.trial_data import TrialData

# What may differ between a checkpoint and the trial that goes on from it.
NOT_IDENTITY = {"keep_checkpoints", "eval_batch_size", "evaluate_every"}


class TrialSession:
    """A trial, made on every rank alike; every method is a collective.

    It goes on from `request.resume_from` if that is given, to the same bits on the same machine.

    Args:
        request: What to train.
        device: Of this rank, "cpu" or "cuda:<i>".
        data_group: Process group of the trial's ranks; None = the default one. If there is no
            process group at all, one of this process alone is made.

    Raises:
        UsageError: If the request cannot be meant.
        DataError: If the data cannot be used.
        TrialError: If there is nothing to resume from.
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
        self._batches = TrainBatches(
            self._data.train,
            batch_size=training.batch_size,
            rank=self._ranks.rank,
            world_size=self._ranks.world_size,
            seed=training.seed,
        )
        self.total_steps = training.passes * self._batches.steps_per_pass
        self._points = evaluation_steps(self.total_steps, training.evaluate_every)
        self._progress = TrainingProgress()
        self._stream: Iterator[Batch] | None = None
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
        self._mixing = MixingLog(
            request.folder,
            f"trial {request.trial_id} {request.family}",
            writes=self._ranks.is_first,
        )
        self._resume()

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self._progress.step

    @property
    def fidelity(self) -> float:
        """Share of all steps of all passes that is done."""
        return self.step / self.total_steps

    def advance(self, check: Callable[[int], bool] | None = None) -> Evaluation:
        """Train to the next evaluation point, evaluate, write a checkpoint.

        At full fidelity the model is exported too, and the metrics are those of the exported
        model in fp32, on the test rows as well if there are any (`test_*`), and its latencies.

        Args:
            check: Called after every step on every rank, with the same answer on all; True
                stops the trial.

        Raises:
            AbortedError: If `check` said so; the checkpoint is written (`latest`).
            DivergedError: On every rank, if the loss or a score is not finite on any.
        """
        self._checkpoints.thin_out(self.step)  # whoever says to go on knows of the last one
        target = next((p for p in self._points if p > self._progress.evaluated_step), self.step)
        first, clock = self.step, _Clock()
        with clock("train"):
            rows = self._train_to(target, check)
        metrics = self._training_metrics(rows, self.step - first, clock.seconds["train"])
        model_url = None
        if target < self.total_steps:
            with clock("evaluate"):
                metrics |= self._evaluate()
            with clock("checkpoint"):
                url = self._mark_evaluated()
        else:
            with clock("checkpoint"):  # first, so that nothing is lost if exporting fails
                url = self._mark_evaluated()
            with clock("evaluate"):
                model_url, found = self._finished()
            metrics |= found
        return Evaluation(
            step=self.step,
            fidelity=self.fidelity,
            metrics=metrics,
            checkpoint=url,
            model_url=model_url,
            seconds=clock.seconds,
        )

    def checkpoint(self) -> str:
        """Write a checkpoint of this step; its URL."""
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
        """Export the trained model and evaluate it in fp32, once; the folder's URL.

        Raises:
            TrialError: Before full fidelity.
        """
        return self._finished()[0]

    def close(self) -> None:
        """Free everything; nothing else works afterwards."""
        self._trainer.close()
        self._data.close()
        del self._trainer, self._batches, self._stream
        self._checkpoints.thin_out(self.step)

    def _require_rows_per_rank(self) -> None:
        training = self.request.training
        if -(-training.batch_size // self._ranks.world_size) < training.gradient_accumulation:
            raise SpecError(
                f"training.gradient_accumulation is {training.gradient_accumulation}, more than "
                f"a rank's rows of a batch of {training.batch_size}; raise training.batch_size"
            )

    def _finished(self) -> tuple[str, dict[str, float]]:
        """URL and metrics of the exported model."""
        if self.step < self.total_steps:
            raise TrialError(
                f"the trial is at step {self.step} of {self.total_steps}: only a model that is "
                "trained to the end is exported"
            )
        if self._exported is None:
            self._exported = self._export()
        return self._exported

    def _identity(self) -> Identity:
        request = self.request
        return Identity(
            family=request.family,
            model=self._config.model_dump(mode="json"),
            training=request.training.model_dump(mode="json", exclude=NOT_IDENTITY),
            zero_stage=request.zero_stage,
            world_size=self._ranks.world_size,
            total_steps=self.total_steps,
            encoder=self._data.encoder.digest,
        )

    def _resume(self) -> None:
        if self.request.resume_from:
            trainer = self._trainer
            try:
                self._progress = self._checkpoints.load(
                    self.request.resume_from, trainer.engine, trainer.tables, trainer.sparse
                )
            except TrialError:
                trainer.close()
                raise

    def _train_to(self, target: int, check: Callable[[int], bool] | None) -> float:
        """Train up to a step; the rows that were trained on."""
        rows = 0.0
        while self.step < target:
            batch = self._next_batch()
            self.last_loss = self._trainer.step(batch, self.step)
            rows += batch.global_weight
            self._progress = self._progress.after_step(self.last_loss)
            if check is not None and check(self.step):
                url = self.checkpoint()
                raise AbortedError(f"stopped after step {self.step}; it goes on from {url}")
        return rows

    def _next_batch(self) -> Batch:
        pass_index, step_in_pass = divmod(self.step, self._batches.steps_per_pass)
        if self._stream is None or step_in_pass == 0:
            self._stream = self._batches.one_pass(pass_index, step_in_pass)
        return next(self._stream)

    def _evaluate(self) -> dict[str, float]:
        self._trainer.evaluation_mode(self.step)
        found = evaluate(
            self._trainer.score,
            self._data.validation,
            batch_size=self.request.training.eval_batch_size,
            ranks=self._ranks,
        )
        return found | self._mixing.note(self._trainer.engine.module, self.step)

    def _mark_evaluated(self) -> str:
        self._progress = TrainingProgress(step=self.step, evaluated_step=self.step)
        return self.checkpoint()

    def _training_metrics(self, rows: float, steps: int, seconds: float) -> dict[str, float]:
        """Loss and speed; nothing of what no step was taken for, as after resuming."""
        found = {}
        if self._progress.loss_steps:
            found["train_loss"] = self._progress.loss_sum / self._progress.loss_steps
        if steps:
            found["samples_per_s"] = rows / seconds
            found["step_seconds"] = seconds / steps
            found["mfu"] = mfu(
                self._trainer.flops_per_step * steps,
                seconds,
                device=self._ranks.device,
                precision=self.request.training.precision,
                world_size=self._ranks.world_size,
            )
        return found

    def _export(self) -> tuple[str, dict[str, float]]:
        request, trainer = self.request, self._trainer
        trainer.evaluation_mode(self.step)
        scorer = Scorer(
            request.family,
            request.model,
            self._data.encoder.layout,
            serving_weights(trainer.engine.weights()),
            trainer.tables.weight,
        )
        metrics = self._final_metrics(scorer) | self._mixing.note(scorer.ranker, self.step)
        metrics |= self._latencies(scorer)
        url = f"{request.folder.rstrip('/')}/final"
        if self._ranks.is_first:
            about, sample = self._about(metrics), self._data.raw_sample(SAMPLE_ROWS)
            export_model(url, Predictor(self._data.encoder, scorer, about), sample)
            self._mixing.draw(scorer.ranker)
        self._ranks.barrier()
        return url, metrics

    def _final_metrics(self, scorer: Scorer) -> dict[str, float]:
        metrics = dict[str, float]()
        for prefix, split in (("", self._data.validation), (TEST_PREFIX, self._data.test)):
            if split is None:
                continue
            found = evaluate(
                scorer.probabilities,
                split,
                batch_size=self.request.training.eval_batch_size,
                ranks=self._ranks,
            )
            metrics |= {prefix + name: value for name, value in found.items()}
        return metrics

    def _latencies(self, scorer: Scorer) -> dict[str, float]:
        """Measured by rank 0 while the others wait for its numbers, and are quiet."""
        numbers = [math.nan] * len(LATENCIES)
        if self._ranks.is_first:
            predictor = Predictor(self._data.encoder, scorer, {})
            latencies = measure_latency(
                scorer.probabilities,
                predictor.predict,
                self._data.validation,
                self._data.raw_sample(RAW_ROWS),
                seconds=self.request.latency_seconds,
            )
            numbers = list(latencies.values())
        return dict(zip(LATENCIES, self._ranks.broadcast(numbers), strict=True))

    def _about(self, metrics: dict[str, float]) -> dict[str, Any]:
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
            "step": self.step,
            "metrics": metrics,
        }


def _with_precision(request: TrialRequest, device: str) -> TrialRequest:
    """The request with `precision: auto` resolved for this rank's device.

    A search resolves it for all of its devices before it sends a request; this is for sessions
    without a search.
    """
    if request.training.precision != "auto":
        return request
    precision = "bf16" if has_native_bf16(device) else "fp32"
    training = request.training.model_copy(update={"precision": precision})
    return request.model_copy(update={"training": training})


class _Clock:
    """Seconds spent in named parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[part] = time.perf_counter() - started
