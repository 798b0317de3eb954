"""Encoded rows as batches: the same global batches for any number of ranks.

A global batch of n rows is split into `world_size` shards of nearly equal size. Each rank pads its
shard to ceil(batch_size / world_size) rows with rows of weight 0, so that all ranks take the same
number of steps.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from mixfront.data.batch import Batch
from mixfront.data.cache import Array, EncodedSplit

Order = np.ndarray[Any, np.dtype[Any]]


class TrainBatches:
    """Shuffled batches of one rank; a pass goes through all rows once.

    Args:
        split: The encoded training rows.
        batch_size: Rows per global batch, over all ranks.
        rank: Rank of this process, from 0.
        world_size: Number of ranks; it only changes which rank gets which rows of a global batch.
        seed: Seed of the row order.
    """

    def __init__(
        self, split: EncodedSplit, *, batch_size: int, rank: int, world_size: int, seed: int
    ) -> None:
        self._shards = _RankShards(split, batch_size, rank, world_size)
        self._seed = seed

    @property
    def steps_per_pass(self) -> int:
        """Batches per pass, the same on every rank."""
        return self._shards.num_batches

    def one_pass(self, pass_index: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of one pass, from step `first_step` on, to resume from a checkpoint."""
        order = _order(self._shards.split.num_rows, self._seed, pass_index)
        for step in range(first_step, self.steps_per_pass):
            yield self._shards.batch(step, order)


def eval_batches(
    split: EncodedSplit, *, batch_size: int, rank: int, world_size: int
) -> Iterator[Batch]:
    """All rows in order, each on exactly one rank, with the same number of batches on every rank.

    Args:
        split: The encoded rows.
        batch_size: Rows per global batch, over all ranks.
        rank: Rank of this process, from 0.
        world_size: Number of ranks.
    """
    shards = _RankShards(split, batch_size, rank, world_size)
    for step in range(shards.num_batches):
        yield shards.batch(step, None)


def _order(num_rows: int, seed: int, pass_index: int) -> Order:
    """A permutation (num_rows,) that depends only on the seed and the pass."""
    generator = np.random.Generator(np.random.PCG64([seed, pass_index]))
    dtype = np.uint32 if num_rows < 2**32 else np.uint64
    return generator.permutation(np.arange(num_rows, dtype=dtype))


class _RankShards:
    """One rank's shard of every global batch."""

    def __init__(self, split: EncodedSplit, batch_size: int, rank: int, world_size: int) -> None:
        assert 0 <= rank < world_size, (rank, world_size)
        self.split = split
        self._batch_size = batch_size
        self._rank = rank
        self._world_size = world_size
        self._width = -(-batch_size // world_size)
        self._pad_row = split.layout.pad_rows[0] if split.layout.pad_rows else 0
        # np.memmap costs a Python call per slice; a plain view of it does not
        self._ids, self._numeric, self._label, self._user = (
            np.asarray(array) for array in (split.ids, split.numeric, split.label, split.user)
        )
        self._sequences, self._ages = np.asarray(split.sequences), np.asarray(split.ages)

    @property
    def num_batches(self) -> int:
        return -(-self.split.num_rows // self._batch_size)

    def batch(self, step: int, order: Order | None) -> Batch:
        """This rank's rows of global batch `step`; `order` shuffles them, None does not."""
        first = step * self._batch_size
        count = min(self._batch_size, self.split.num_rows - first)
        start = first + count * self._rank // self._world_size
        stop = first + count * (self._rank + 1) // self._world_size
        rows = slice(start, stop) if order is None else order[start:stop]
        weight = np.zeros(self._width, np.float32)
        weight[: stop - start] = 1.0
        return Batch(
            ids=self._take(self._ids, rows, np.int64, self._pad_row),
            numeric=self._take(self._numeric, rows, np.float32, 0),
            sequences=self._take(self._sequences, rows, np.int64, self._pad_row),
            ages=self._take(self._ages, rows, np.float32, 0),
            label=self._take(self._label, rows, np.float32, 0),
            user=self._take(self._user, rows, np.int64, 0),
            weight=torch.from_numpy(weight),
            global_weight=float(count),
        )

    def _take(self, array: Array, rows: Any, dtype: Any, padding: int) -> torch.Tensor:
        """Rows of an array as a tensor of `width` rows, padded at the end."""
        selected = array[rows]
        padded = np.empty((self._width, *array.shape[1:]), dtype)
        padded[: len(selected)] = selected
        padded[len(selected) :] = padding
        return torch.from_numpy(padded)
