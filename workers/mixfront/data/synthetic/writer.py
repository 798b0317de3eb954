"""Writes synthetic logs as Parquet, with their schema and the best possible AUC."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mixfront.data.auc import auc
from mixfront.data.schema import (
    CategoricalFeature,
    NumericFeature,
    Schema,
    SequenceFeature,
    dump_schema,
)
from mixfront.data.synthetic.world import DEVICES, NUM_DAYS, PAGES, Floats, Impressions, World
from mixfront.exceptions import UsageError

FIRST_DATE = 20260101
FILTERS = {
    "train": f"date <= {FIRST_DATE + NUM_DAYS - 3}",
    "validation": f"date == {FIRST_DATE + NUM_DAYS - 2}",
    "test": f"date == {FIRST_DATE + NUM_DAYS - 1}",
}
MIN_ROWS = 1000
_FIRST_MS = 1_767_225_600_000  # midnight before the first day, UTC
_DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class SyntheticReport:
    """What was written, and the best AUCs that models can reach on it."""

    path: str
    schema: str  # path of schema.yaml
    num_rows: int
    num_users: int
    num_items: int
    click_rate: float
    bayes_auc: float  # of the true probabilities, all rows
    bayes_auc_validation: float  # the same on the validation day
    bayes_auc_test: float  # and on the test day
    additive_auc: float  # of the best sum of one-feature effects
    filters: dict[str, str]


def write_synthetic(out: Path, num_rows: int, seed: int) -> SyntheticReport:
    """Write a hive-partitioned data set and its `schema.yaml` to a new folder.

    The same arguments always write the same rows.

    Raises:
        UsageError: If the folder exists, or there would be too few rows to learn from.
    """
    if out.exists():
        raise UsageError(f"{out} exists already; choose another folder, or remove it first")
    if num_rows < MIN_ROWS:
        raise UsageError(f"{num_rows} rows are too few to learn from; ask for {MIN_ROWS} or more")
    world = World(num_rows, seed)
    rows = world.log(num_rows)
    building = out.with_name(f".{out.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    try:
        for day in range(NUM_DAYS):
            _write_day(building, world, rows, day, seed)
        (building / "schema.yaml").write_text(dump_schema(synthetic_schema()))
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return _report(out, world, rows)


def synthetic_schema() -> Schema:
    """The schema of the data that `write_synthetic` writes."""
    return Schema(
        label="click",
        user="user_id",
        time="time_ms",
        time_unit="ms",
        features=(
            CategoricalFeature(name="user_id", domain="user"),
            CategoricalFeature(name="age_group", domain="user"),
            CategoricalFeature(name="city_tier", domain="user"),
            NumericFeature(name="follows", domain="user", encoding="log"),
            CategoricalFeature(name="item_id", domain="item"),
            CategoricalFeature(name="author_id", domain="item", encoding="hash", buckets=512),
            CategoricalFeature(name="genre", domain="item"),
            NumericFeature(name="price", domain="item", encoding="buckets", buckets=16),
            SequenceFeature(
                name="history",
                domain="behaviour",
                length=20,
                share="item_id",
                times="history_ms",
            ),
            CategoricalFeature(name="device", domain="context"),
            CategoricalFeature(name="page", domain="context"),
            CategoricalFeature(name="hour", domain="context"),
        ),
    )


def _write_day(root: Path, world: World, rows: Impressions, day: int, seed: int) -> None:
    chosen = np.flatnonzero(rows.day == day)
    chosen = chosen[np.argsort(rows.hour[chosen], kind="stable")]
    folder = root / f"date={FIRST_DATE + day}"
    folder.mkdir(parents=True)
    pq.write_table(
        _table(world, rows, chosen, np.random.default_rng([seed, day])),
        folder / "part-0.parquet",
        row_group_size=max(1, -(-len(chosen) // 4)),
        write_page_checksum=True,
    )


def _table(world: World, rows: Impressions, chosen: Any, rng: np.random.Generator) -> pa.Table:
    """Raw columns as an app would log them: text, numbers, nulls and lists."""
    user, item, hour = rows.user[chosen], rows.item[chosen], rows.hour[chosen]
    within_hour = np.sort(rng.integers(3_600_000, size=len(chosen)))
    day_ms = _FIRST_MS + rows.day[chosen] * _DAY_MS
    return pa.table(
        {
            "user_id": user + 1000,
            "time_ms": day_ms + hour * 3_600_000 + within_hour,
            "age_group": pa.array([f"{18 + 8 * a}+" for a in range(6)]).take(world.age[user]),
            "city_tier": world.tier[user].astype(np.int32),
            "follows": world.follows[user],
            "item_id": item,
            "author_id": [f"a{author}" for author in world.author[item]],
            "genre": [f"genre_{genre}" for genre in world.genre[item]],
            "price": pa.array(world.price[item], mask=~world.price_known[item]),
            "history": _lists(world.history[user], world.history[user] >= 0),
            "history_ms": _lists(_history_ms(world)[user], world.history[user] >= 0),
            "device": pa.array(DEVICES).take(rows.device[chosen]),
            "page": pa.array(PAGES).take(rows.page[chosen]),
            "hour": hour.astype(np.int8),
            "click": rows.click[chosen].astype(np.int32),
        }
    )


def _history_ms(world: World) -> Any:
    """Times of the events of every user's history; all are before the first day."""
    return _FIRST_MS - (world.history_ages * _DAY_MS).astype(np.int64)


def _lists(padded: Any, there: Any) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(there.sum(1))]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, padded[there])


def _report(out: Path, world: World, rows: Impressions) -> SyntheticReport:
    validation, test = (rows.day == NUM_DAYS - days for days in (2, 1))
    return SyntheticReport(
        path=str(out),
        schema=str(out / "schema.yaml"),
        num_rows=len(rows.click),
        num_users=world.num_users,
        num_items=world.num_items,
        click_rate=float(rows.click.mean()),
        bayes_auc=auc(rows.logit, rows.click),
        bayes_auc_validation=auc(rows.logit[validation], rows.click[validation]),
        bayes_auc_test=auc(rows.logit[test], rows.click[test]),
        additive_auc=auc(_additive(rows), rows.click),
        filters=FILTERS,
    )


def _additive(rows: Impressions) -> Floats:
    """The sum of one-feature effects that is closest to the true logit, by backfitting.

    Age, city and history depend only on the user, and genre and price on the item, so the effects
    of user and item include theirs.
    """
    features = (rows.user, rows.item, rows.device, rows.page, rows.hour)
    effects = [np.zeros(len(rows.logit)) for _ in features]
    for _ in range(10):
        for i, codes in enumerate(features):
            rest = rows.logit - sum(effects) + effects[i]
            counts = np.maximum(np.bincount(codes), 1)
            effects[i] = (np.bincount(codes, weights=rest) / counts)[codes]
    total: Floats = np.sum(effects, axis=0)
    return total
