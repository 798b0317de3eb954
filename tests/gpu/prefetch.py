"""Part 5: how batches reach the device, and whether prefetching them pays."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from tests.gpu.machine import Machine, has_deepspeed
from tests.gpu.prefetcher import Prefetcher, cycle, pin
from tests.gpu.report import Recorder
from tests.gpu.synthetic_logs import encoded_rows, synthetic_logs

from mixfront.data import Batch, FeatureLayout, TrainBatches
from mixfront.data.batches import _order
from mixfront.models import make_config
from mixfront.training.config import TrainingConfig
from mixfront.training.ranks import Ranks
from mixfront.training.trainer import Trainer

WARM_UP = 5  # steps
RESIDENT = 8  # batches of the variant that keeps them on the device
FOLDER = "prefetch"

Assemble = Callable[[int], Batch]


def num_rows(machine: Machine) -> int:
    """Rows of the logs."""
    return machine.pick(500_000, 2_000)


def prepare(machine: Machine) -> None:
    """Write and encode the logs, which takes a minute, before they are needed."""
    encoded_rows(synthetic_logs(machine.folder / FOLDER, num_rows(machine)))


def run(machine: Machine, recorder: Recorder) -> None:
    """Train a small RankMixer, with prefetching off and on."""
    if not has_deepspeed():
        recorder.skip("DeepSpeed is not installed, so no model was trained.")
        return
    rows = encoded_rows(synthetic_logs(machine.folder / FOLDER, num_rows(machine)))
    size = machine.pick(2048, 128)
    batches = TrainBatches(rows, batch_size=size, rank=0, world_size=1, seed=0)
    assemble = partial(batches._shards.batch, order=_order(rows.num_rows, 0, 0))
    steps = min(machine.pick(150, 4), batches.steps_per_pass - WARM_UP)
    _time_one_batch(assemble, machine, recorder)
    trainer = _trainer(rows.layout, size, machine)
    table = recorder.table(
        f"Small RankMixer, bf16, batch {size:,}, {num_rows(machine):,} rows",
        *("batches", "ms per step", "samples/s", "speed-up"),
    )
    first: float | None = None
    for name, variant in _variants(assemble, WARM_UP + steps, machine).items():
        if machine.seconds_left() < machine.pick(3, 0):
            recorder.note(f"Not measured for lack of time: {name}.")
            continue
        ms = _milliseconds(trainer, variant(), steps, machine)
        first = first or ms
        recorder.row(table, name, ms, size / (ms / 1e3), first / ms)
    trainer.close()


def _variants(
    assemble: Assemble, number: int, machine: Machine
) -> dict[str, Callable[[], Iterator[Batch]]]:
    """Ways to get `number` batches to the device; the first is what training does today."""
    device = machine.device

    def prefetched(
        to: str | None, pinned: bool, threads: int = 1
    ) -> Callable[[], Iterator[Batch]]:
        prefetcher = partial(Prefetcher, assemble, device=to, pinned=pinned, threads=threads)
        return lambda: prefetcher().batches(number)

    variants = {
        "no prefetching": lambda: map(assemble, range(number)),
        "no prefetching, pinned memory": lambda: map(pin, map(assemble, range(number))),
        "assembled ahead, copied by the training thread": prefetched(None, False),
        "assembled and copied ahead": prefetched(device, False),
        "assembled and copied ahead, pinned memory": prefetched(device, True),
        "the same with four threads": prefetched(device, True, threads=4),
        "already on the device": lambda: cycle([assemble(i).to(device) for i in range(RESIDENT)]),
    }
    if machine.is_cuda:
        return variants
    pinned = ("pinned memory", "four threads")
    return {name: source for name, source in variants.items() if not name.endswith(pinned)}


def _milliseconds(
    trainer: Trainer, batches: Iterator[Batch], steps: int, machine: Machine
) -> float:
    for step in range(WARM_UP):
        trainer.step(next(batches), step)
    machine.synchronize()
    started = time.perf_counter()
    for step in range(steps):
        trainer.step(next(batches), step)
    machine.synchronize()
    return 1e3 * (time.perf_counter() - started) / steps


def _time_one_batch(assemble: Assemble, machine: Machine, recorder: Recorder) -> None:
    """Time each operation that brings a batch to the device, one after another."""
    batch = assemble(0)
    size = sum(v.nbytes for v in vars(batch).values() if isinstance(v, torch.Tensor))
    table = recorder.table(f"One batch of {size / 1e6:.2f} MB", "operation", "ms")
    operations: dict[str, Callable[[], object]] = {"assemble on the host": partial(assemble, 1)}
    if machine.is_cuda:
        pinned = pin(batch)
        operations["copy to pinned memory"] = partial(pin, batch)
        operations["copy to the device from pinned memory"] = partial(pinned.to, machine.device)
    operations["copy to the device from pageable memory"] = partial(batch.to, machine.device)
    for name, operation in operations.items():
        recorder.row(table, name, _wall_ms(operation, machine))


def _wall_ms(operation: Callable[[], object], machine: Machine) -> float:
    runs = machine.pick(30, 2)
    operation()
    machine.synchronize()
    started = time.perf_counter()
    for _ in range(runs):
        operation()
    machine.synchronize()
    return 1e3 * (time.perf_counter() - started) / runs


def _trainer(layout: FeatureLayout, size: int, machine: Machine) -> Trainer:
    small = {"num_tokens": 4, "token_dim": 8, "embedding_dim": 4, "num_blocks": 1}
    config = TrainingConfig.model_validate({"batch_size": size, "precision": "bf16"})
    return Trainer(
        "rankmixer",
        make_config("rankmixer", machine.pick({}, small)),
        layout,
        config,
        zero_stage=0,
        total_steps=10_000,
        ranks=Ranks.join(machine.device),
    )
