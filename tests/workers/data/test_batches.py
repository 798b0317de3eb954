"""Batches: the same for every number of ranks, every row once, and resumed exactly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mixfront.data.batch import Batch, FeatureLayout, FieldLayout
from mixfront.data.batches import TrainBatches, eval_batches
from mixfront.data.cache import EncodedSplit, open_split
from mixfront.data.config import DataConfig
from mixfront.data.dataset import ParquetDataset
from mixfront.data.encoding.encoder import Encoder

LAYOUT = FeatureLayout(
    fields=(
        FieldLayout(name="a", domain="x", kind="categorical"),
        FieldLayout(name="n", domain="x", kind="numeric"),
        FieldLayout(name="s", domain="x", kind="sequence", length=2, timed=True),
    ),
    num_rows=10_000,
    pad_rows=(5,),
)


def split_of(num_rows: int) -> EncodedSplit:
    """Rows that can be distinguished: row k has k in every array (its label is k % 2)."""
    k = np.arange(num_rows)
    return EncodedSplit(
        num_rows=num_rows,
        ids=k[:, None].astype(np.int32),
        numeric=k[:, None].astype(np.float32),
        sequences=np.stack([k, k], 1).astype(np.int32),
        ages=np.stack([k, k], 1).astype(np.float32),
        label=(k % 2).astype(np.float32),
        user=k.astype(np.int64),
        layout=LAYOUT,
    )


def real(batch: Batch) -> list[int]:
    return [int(user) for user in batch.user[batch.weight > 0]]


def train(num_rows: int, batch_size: int, world_size: int, pass_index: int = 0) -> list[list[int]]:
    """The real rows of every global batch, the ranks concatenated in order."""
    ranks = [
        list(
            TrainBatches(
                split_of(num_rows), batch_size=batch_size, rank=r, world_size=world_size, seed=1
            ).one_pass(pass_index)
        )
        for r in range(world_size)
    ]
    assert len({len(batches) for batches in ranks}) == 1, "the same number of steps on every rank"
    for shards in zip(*ranks, strict=True):
        total = sum(float(batch.weight.sum()) for batch in shards)
        assert {batch.global_weight for batch in shards} == {total}
        assert {len(batch.label) for batch in shards} == {-(-batch_size // world_size)}
    return [
        [row for batch in shards for row in real(batch)] for shards in zip(*ranks, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(1, 30))
def test_global_batches_do_not_depend_on_the_number_of_ranks(
    num_rows: int, batch_size: int
) -> None:
    single = train(num_rows, batch_size, 1)
    assert sorted(row for batch in single for row in batch) == list(range(num_rows))
    assert train(num_rows, batch_size, 2) == single
    assert train(num_rows, batch_size, 3) == single


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 80), st.integers(1, 30), st.integers(1, 4))
def test_evaluation_sees_every_row_once_in_order(
    num_rows: int, batch_size: int, world_size: int
) -> None:
    ranks = [
        list(
            eval_batches(split_of(num_rows), batch_size=batch_size, rank=r, world_size=world_size)
        )
        for r in range(world_size)
    ]
    assert len({len(batches) for batches in ranks}) == 1
    rows = [row for shards in zip(*ranks, strict=True) for batch in shards for row in real(batch)]
    assert rows == list(range(num_rows))


def test_rows_of_a_batch_belong_together() -> None:
    batches = TrainBatches(split_of(20), batch_size=8, rank=0, world_size=1, seed=0)
    for batch in batches.one_pass(0):
        rows = batch.user[batch.weight > 0]
        assert torch.equal(batch.ids[: len(rows), 0], rows)
        assert torch.equal(batch.numeric[: len(rows), 0], rows.float())
        assert torch.equal(batch.sequences[: len(rows), 1], rows)
        assert torch.equal(batch.ages[: len(rows), 1], rows.float())
        assert torch.equal(batch.label[: len(rows)], (rows % 2).float())


def test_types_and_padding() -> None:
    (batch,) = eval_batches(split_of(3), batch_size=8, rank=1, world_size=2)
    assert (batch.ids.dtype, batch.sequences.dtype, batch.user.dtype) == (torch.int64,) * 3
    assert (batch.numeric.dtype, batch.label.dtype, batch.weight.dtype) == (torch.float32,) * 3
    assert batch.ages.dtype == torch.float32
    assert batch.weight.tolist() == [1, 1, 0, 0]
    assert batch.global_weight == 3.0
    assert batch.ids[2:].tolist() == [[5], [5]], "padding touches PAD rows only"
    assert batch.sequences[2:].tolist() == [[5, 5], [5, 5]]
    assert batch.numeric[2:].tolist() == [[0], [0]]
    assert batch.ages[2:].tolist() == [[0, 0], [0, 0]]


def test_the_order_follows_seed_and_pass() -> None:
    def order(seed: int, pass_index: int) -> list[int]:
        batches = TrainBatches(split_of(50), batch_size=7, rank=0, world_size=1, seed=seed)
        return [row for batch in batches.one_pass(pass_index) for row in real(batch)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)
    assert order(0, 1) != order(1, 0), "seed and pass are not just added"
    assert order(1, 0) != list(range(50))


def test_resuming_from_a_step() -> None:
    batches = TrainBatches(split_of(50), batch_size=7, rank=1, world_size=2, seed=3)
    whole = [real(batch) for batch in batches.one_pass(2)]
    assert batches.steps_per_pass == len(whole) == 8
    assert [real(batch) for batch in batches.one_pass(2, first_step=5)] == whole[5:]
    assert list(batches.one_pass(2, first_step=8)) == []


def test_a_cached_split(
    config: DataConfig, dataset: ParquetDataset, encoder: Encoder, tmp_path: Path
) -> None:
    split = open_split(dataset, config.train, encoder, tmp_path)
    total_weight = 0.0
    clicks = 0.0
    for rank in range(3):
        for batch in TrainBatches(split, batch_size=100, rank=rank, world_size=3, seed=0).one_pass(
            0
        ):
            assert int(batch.ids.max()) < encoder.layout.num_rows
            total_weight += float(batch.weight.sum())
            clicks += float((batch.label * batch.weight).sum())
    assert total_weight == split.num_rows
    assert clicks == pytest.approx(float(split.label.sum()))
