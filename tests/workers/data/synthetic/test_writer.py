"""Synthetic logs: complete, reproducible, and with the planted effects."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mixfront.data.dataset import open_dataset
from mixfront.data.schema import load_schema
from mixfront.data.synthetic.world import NUM_DAYS, World
from mixfront.data.synthetic.writer import (
    FILTERS,
    MIN_ROWS,
    SyntheticReport,
    synthetic_schema,
    write_synthetic,
)
from mixfront.exceptions import UsageError


@pytest.fixture(scope="module")
def rows(synthetic: SyntheticReport) -> pa.Table:
    return open_dataset(synthetic.path).head(10**6)


def test_the_layout_on_disk(synthetic: SyntheticReport) -> None:
    files = sorted(Path(synthetic.path).rglob("*.parquet"))
    assert len(files) == NUM_DAYS
    assert all(pq.ParquetFile(file).num_row_groups > 1 for file in files)
    assert load_schema(synthetic.schema) == synthetic_schema()
    assert not list(Path(synthetic.path).parent.glob(".*"))


def test_the_filters_together_select_all_rows(synthetic: SyntheticReport) -> None:
    dates = {"train": 5, "validation": 1, "test": 1}
    total = 0
    for name, text in FILTERS.items():
        part = open_dataset(synthetic.path).head(10**6, text, ["date"])
        assert len(part["date"].unique()) == dates[name]
        total += part.num_rows
    assert total == synthetic.num_rows == 2003


def test_columns_look_like_real_logs(rows: pa.Table) -> None:
    assert rows["price"].null_count > 0
    assert pc.min(pc.list_value_length(rows["history"])).as_py() == 0
    assert pc.max(pc.list_value_length(rows["history"])).as_py() <= 20
    shown = pc.value_counts(rows["item_id"]).field("counts").to_numpy(zero_copy_only=False)
    assert shown.max() > 5 * np.median(shown), "a heavy tail"
    assert 0.25 < pc.mean(rows["click"]).as_py() < 0.35


def test_times_match_their_day_and_hour(rows: pa.Table) -> None:
    hours = rows["time_ms"].to_numpy() // 3_600_000
    np.testing.assert_array_equal(hours % 24, rows["hour"].to_numpy())
    days = hours // 24
    np.testing.assert_array_equal(days - days.min(), rows["date"].to_numpy() - 20260101)


def test_histories_are_in_order_and_end_before_the_first_day(rows: pa.Table) -> None:
    first = pc.min(rows["time_ms"]).as_py() // 86_400_000 * 86_400_000
    for items, times in zip(
        rows["history"].to_pylist(), rows["history_ms"].to_pylist(), strict=True
    ):
        assert len(items) == len(times)
        assert times == sorted(times)
        assert not times or times[-1] < first


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_synthetic(tmp_path / name, MIN_ROWS, seed)
    one, same, other = (
        [file.read_bytes() for file in sorted((tmp_path / name).rglob("*.parquet"))]
        for name in "abc"
    )
    assert one == same
    assert one != other


def test_the_best_auc_is_above_the_additive_one(synthetic: SyntheticReport) -> None:
    assert 0.75 < synthetic.bayes_auc < 0.95
    assert synthetic.additive_auc < synthetic.bayes_auc - 0.05


def test_third_order_effects_do_not_show_in_pairs() -> None:
    """With any two of its features fixed, the planted product of signs has mean zero."""
    signs = World(MIN_ROWS, seed=5)._effects.signs
    cube = signs[0][:, None, None] * signs[1][None, :, None] * signs[2][None, None, :]
    for axis in range(3):
        np.testing.assert_allclose(cube.mean(axis=axis), 0.0)


def test_nothing_is_overwritten(synthetic: SyntheticReport) -> None:
    with pytest.raises(UsageError, match="exists already"):
        write_synthetic(Path(synthetic.path), MIN_ROWS, 1)


def test_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too few"):
        write_synthetic(tmp_path / "x", MIN_ROWS - 1, 1)
    assert not (tmp_path / "x").exists()
