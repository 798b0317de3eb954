"""Writes the teacher's rows as Parquet, with their schema and the best AUC that is possible."""

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.bench.scaling.bayes import expected_auc
from tests.bench.scaling.teacher import Field, Floats, Ints, Teacher, TeacherConfig, total

from mixfront.data import Encoder, open_dataset
from mixfront.data.auc import auc
from mixfront.data.schema import CategoricalFeature, Schema, dump_schema

SPLITS = ("train", "validation", "evaluation")
CHUNK_ROWS = 100_000
_CARDINALITIES = {
    "user": (1000, 100, 20),
    "item": (1000, 100, 20),
    "author": (500, 100, 20),
    "query": (500, 100, 20),
    "behaviour": (300, 50, 10),
    "campaign": (300, 50, 10),
    "place": (200, 50, 10),
    "device": (200, 50, 10),
}
FIELDS = tuple(
    Field(name=f"{domain}_{name}", domain=domain, cardinality=size)
    for domain, sizes in _CARDINALITIES.items()
    for name, size in zip(("id", "group", "class"), sizes, strict=True)
)
TEACHER = TeacherConfig(shares={1: 0.2, 2: 0.4, 3: 0.25, 4: 0.15}, num_chains=24)


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """A data set of the teacher; the same config always gives the same bytes."""

    train_rows: int
    validation_rows: int  # on which learning rates are selected
    evaluation_rows: int
    seed: int = 1
    teacher: TeacherConfig = TEACHER

    @property
    def rows(self) -> dict[str, int]:
        """Number of rows of every split."""
        counts = (self.train_rows, self.validation_rows, self.evaluation_rows)
        return dict(zip(SPLITS, counts, strict=True))


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known about the evaluation rows."""

    bayes_auc: float  # expected AUC of the true probabilities
    drawn_auc: float  # of the true probabilities with the labels that were drawn
    auc_up_to_order: dict[str, float]  # of the terms up to this order alone
    shares: dict[str, float]  # of the logit's variance, by order
    click_rate: float


def filter_of(split: str) -> str:
    """The filter of a split's rows."""
    return f"split == '{split}'"


def prepare_dataset(folder: Path, config: DatasetConfig) -> Truth:
    """Write the data set and fit its encoder, unless the folder has them already.

    Raises:
        SystemExit: If the folder has a data set of another config.
    """
    marker = folder / "config.json"
    expected = json.dumps(dataclasses.asdict(config), indent=1)
    if not marker.exists():
        shutil.rmtree(folder, ignore_errors=True)
        truth = write_dataset(folder / "rows", config)
        (folder / "truth.json").write_text(json.dumps(dataclasses.asdict(truth), indent=1))
        dataset = open_dataset(str(folder / "rows"))
        Encoder.fit(dataset, dataset_schema(), filter_of("train")).save(str(folder / "encoder"))
        marker.write_text(expected)
    if marker.read_text() != expected:
        raise SystemExit(f"{folder} has a data set of another config; choose another folder")
    return Truth(**json.loads((folder / "truth.json").read_text()))


def write_dataset(folder: Path, config: DatasetConfig) -> Truth:
    """Write all splits, one file per chunk, and `schema.yaml`."""
    teacher = Teacher(FIELDS, config.teacher, config.seed)
    folder.mkdir(parents=True)
    chunks = list[tuple[dict[int, Floats], Floats]]()
    for number, (split, num_rows) in enumerate(config.rows.items()):
        (folder / f"split={split}").mkdir()
        for chunk, start in enumerate(range(0, num_rows, CHUNK_ROWS)):
            rng = np.random.default_rng([config.seed, 2 + number, chunk])
            categories = teacher.categories(rng, min(CHUNK_ROWS, num_rows - start))
            by_order = teacher.by_order(categories)
            probability = 1 / (1 + np.exp(-teacher.bias - total(by_order)))
            click = rng.random(len(probability)) < probability
            file = folder / f"split={split}" / f"part-{chunk:03}.parquet"
            pq.write_table(_table(categories, click), file)
            if split == "evaluation":
                chunks.append((by_order, click.astype(np.float64)))
    (folder / "schema.yaml").write_text(dump_schema(dataset_schema()))
    orders = {k: np.concatenate([part[k] for part, _ in chunks]) for k in chunks[0][0]}
    return _truth(orders, np.concatenate([click for _, click in chunks]), teacher.bias)


def dataset_schema() -> Schema:
    """The schema of the data; the fields of a domain are next to each other."""
    features = (CategoricalFeature(name=field.name, domain=field.domain) for field in FIELDS)
    return Schema(label="click", user=FIELDS[0].name, features=tuple(features))


def _table(categories: Ints, click: Any) -> pa.Table:
    columns = {field.name: categories[:, i] for i, field in enumerate(FIELDS)}
    return pa.table(columns | {"click": click.astype(np.int8)})


def _truth(by_order: dict[int, Floats], click: Floats, bias: float) -> Truth:
    logits = total(by_order) + bias
    partial, aucs = np.zeros(len(click)), dict[str, float]()
    for order, part in by_order.items():
        partial = partial + part
        aucs[str(order)] = auc(partial, click)
    variance = {str(order): float(part.var()) for order, part in by_order.items()}
    return Truth(
        bayes_auc=expected_auc(logits),
        drawn_auc=auc(logits, click),
        auc_up_to_order=aucs,
        shares={order: value / sum(variance.values()) for order, value in variance.items()},
        click_rate=float(click.mean()),
    )
