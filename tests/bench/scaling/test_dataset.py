"""The data set is deterministic, readable by mixfront, and its labels follow the teacher."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.bench.scaling import dataset
from tests.bench.scaling.dataset import (
    FIELDS,
    TEACHER,
    DatasetConfig,
    filter_of,
    prepare_dataset,
    write_dataset,
)
from tests.bench.scaling.teacher import Teacher

from mixfront.data import load_schema, open_dataset

SMALL = DatasetConfig(train_rows=2_000, validation_rows=500, evaluation_rows=4_000)


@pytest.fixture(scope="module", autouse=True)
def small_chunks() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "CHUNK_ROWS", 1_500)
        yield


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_dataset(tmp_path / name, replace(SMALL, seed=seed))
    assert _bytes(tmp_path / "one") == _bytes(tmp_path / "again")
    assert _bytes(tmp_path / "one") != _bytes(tmp_path / "other")


def test_every_split_has_its_rows_and_labels_follow_the_probabilities(tmp_path: Path) -> None:
    truth = write_dataset(tmp_path / "rows", SMALL)
    data = open_dataset(str(tmp_path / "rows"))
    schema = load_schema(str(tmp_path / "rows" / "schema.yaml"))
    assert {f.domain for f in schema.features} == {field.domain for field in FIELDS}
    counts = [sum(t.num_rows for t in data.scan(filter_of(split))) for split in SMALL.rows]
    assert counts == list(SMALL.rows.values())

    table = pq.read_table(tmp_path / "rows" / "split=evaluation")
    rows = np.stack([table[field.name].to_numpy() for field in FIELDS], axis=1)
    logits = Teacher(FIELDS, TEACHER, SMALL.seed).logits(rows)
    probability = 1 / (1 + np.exp(-logits))
    click = table["click"].to_numpy()
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 1)):
        part = (probability >= low) & (probability < high)
        error = np.sqrt((probability * (1 - probability))[part].sum()) / part.sum()
        assert click[part].mean() == pytest.approx(probability[part].mean(), abs=4 * error)
    assert truth.drawn_auc == pytest.approx(truth.bayes_auc, abs=0.03)
    assert list(truth.auc_up_to_order) == ["1", "2", "3", "4"]
    assert truth.auc_up_to_order["4"] == truth.drawn_auc


def test_a_folder_keeps_its_data_and_refuses_another_config(tmp_path: Path) -> None:
    first = prepare_dataset(tmp_path / "study", SMALL)
    assert prepare_dataset(tmp_path / "study", SMALL) == first
    with pytest.raises(SystemExit, match="another config"):
        prepare_dataset(tmp_path / "study", replace(SMALL, seed=2))
