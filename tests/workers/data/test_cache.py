"""The node's cache of encoded rows: complete or absent, private, and shared by all processes."""

import json
import os
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data import cache as cache_module
from mixfront.data.cache import EncodedSplit, open_split
from mixfront.data.config import DataConfig
from mixfront.data.dataset import ParquetDataset, open_dataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.schema import CategoricalFeature, NumericFeature, Schema
from mixfront.exceptions import DataError

ARRAYS = ("ids", "numeric", "sequences", "label", "user")


def folders(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "encoded").iterdir() if path.is_dir())


def assert_equal(one: EncodedSplit, other: EncodedSplit) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def split(
    config: DataConfig, dataset: ParquetDataset, encoder: Encoder, tmp_path: Path
) -> EncodedSplit:
    return open_split(dataset, config.validation, encoder, tmp_path)


def test_it_has_the_output_of_the_encoder(
    split: EncodedSplit, config: DataConfig, dataset: ParquetDataset, encoder: Encoder
) -> None:
    columns = [*encoder.columns, "click"]
    raw = dataset.head(10**6, config.validation, list(dict.fromkeys(columns)))
    rows = encoder.encode(raw)
    assert split.num_rows == raw.num_rows
    np.testing.assert_array_equal(split.ids, rows.ids)
    np.testing.assert_array_equal(split.numeric, rows.numeric)
    np.testing.assert_array_equal(split.sequences, rows.sequences)
    np.testing.assert_array_equal(split.label, raw["click"].to_numpy())
    np.testing.assert_array_equal(split.user, raw["user_id"].to_numpy())
    assert split.layout == encoder.layout


def test_arrays_are_mapped_read_only(split: EncodedSplit) -> None:
    assert isinstance(split.ids, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        split.ids[0] = 0


def test_it_is_built_once(
    split: EncodedSplit,
    config: DataConfig,
    dataset: ParquetDataset,
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache_module, "_build", lambda *_: pytest.fail("built again"))
    assert_equal(open_split(dataset, config.validation, encoder, tmp_path), split)


def test_a_change_of_rows_filter_or_encoder_builds_another_folder(
    config: DataConfig, dataset: ParquetDataset, encoder: Encoder, tmp_path: Path
) -> None:
    open_split(dataset, config.validation, encoder, tmp_path)
    open_split(dataset, config.test, encoder, tmp_path)
    other = Encoder.fit(dataset, encoder.schema)
    open_split(dataset, config.validation, other, tmp_path)
    copied = tmp_path / "copied"
    shutil.copytree(config.path, copied)
    os.utime(min(copied.rglob("*.parquet")), (1, 1))
    open_split(open_dataset(str(copied)), config.validation, encoder, tmp_path)
    assert len(folders(tmp_path)) == 4


def test_it_is_private(split: EncodedSplit, tmp_path: Path) -> None:
    assert split.num_rows
    for folder in (tmp_path / "encoded", *folders(tmp_path)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_full_disk(
    config: DataConfig,
    dataset: ParquetDataset,
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match="free some"):
        open_split(dataset, config.validation, encoder, tmp_path)
    assert folders(tmp_path) == []


@pytest.mark.parametrize("damage", ["short", "gone", "no-manifest", "old"])
def test_a_damaged_folder_is_rebuilt(
    split: EncodedSplit,
    config: DataConfig,
    dataset: ParquetDataset,
    encoder: Encoder,
    tmp_path: Path,
    damage: str,
) -> None:
    expected = {name: np.array(getattr(split, name)) for name in ARRAYS}
    (folder,) = folders(tmp_path)
    if damage == "short":
        shutil.copy(folder / "ids.npy", tmp_path / "copy")
        (folder / "ids.npy").unlink()  # the old pages stay mapped
        (folder / "ids.npy").write_bytes((tmp_path / "copy").read_bytes()[:-4])
    elif damage == "gone":
        (folder / "label.npy").unlink()
    elif damage == "no-manifest":
        (folder / "split.json").write_text("{")
    else:
        manifest = json.loads((folder / "split.json").read_text())
        (folder / "split.json").write_text(json.dumps(manifest | {"format": 0}))
    again = open_split(dataset, config.validation, encoder, tmp_path)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(again, name), expected[name])


_DIE_WHILE_WRITING = """
import os, sys
from pathlib import Path
from mixfront.data.cache import open_split
from mixfront.data.dataset import open_dataset
from mixfront.data.encoding.encoder import Encoder

path, rows, folder, cache = sys.argv[1:]
encoder = Encoder.load(folder)
encoder.encode = lambda table: os._exit(9)  # as SIGKILL would: no chance to clean up
open_split(open_dataset(path), rows, encoder, Path(cache))
"""


def test_a_killed_build_does_not_look_complete(
    config: DataConfig, dataset: ParquetDataset, encoder: Encoder, tmp_path: Path
) -> None:
    folder, cache = tmp_path / "encoder", tmp_path / "cache"
    encoder.save(str(folder))
    arguments = [config.path, config.validation, str(folder), str(cache)]
    dead = subprocess.run([sys.executable, "-c", _DIE_WHILE_WRITING, *arguments], check=False)
    assert dead.returncode == 9
    (partial,) = folders(cache)
    assert ".building-" in partial.name
    assert (partial / "ids.npy").stat().st_size > 0
    again = open_split(dataset, config.validation, encoder, cache)
    assert again.label.sum() > 0
    assert [".building-" in folder.name for folder in folders(cache)] == [False]


def test_two_concurrent_calls_build_once(
    config: DataConfig,
    dataset: ParquetDataset,
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = []
    build = cache_module._build

    def count(*arguments: Any) -> None:
        built.append(arguments[0])
        build(*arguments)

    monkeypatch.setattr(cache_module, "_build", count)
    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(open_split, dataset, config.validation, encoder, tmp_path)
            for _ in range(2)
        ]
    assert_equal(futures[0].result(), futures[1].result())
    assert len(built) == 1


def _days(tmp_path: Path, clicks: list[Any]) -> tuple[ParquetDataset, Encoder]:
    folder = tmp_path / "logs" / "date=1"
    folder.mkdir(parents=True)
    table = pa.table({"user": ["u"] * len(clicks), "x": range(len(clicks)), "click": clicks})
    pq.write_table(table, folder / "a.parquet")
    schema = Schema(
        label="click", user="user", features=(NumericFeature(name="x", domain="item"),)
    )
    dataset = open_dataset(str(tmp_path / "logs"))
    return dataset, Encoder.fit(dataset, schema)


def test_no_ids_and_no_sequences(tmp_path: Path) -> None:
    dataset, encoder = _days(tmp_path, [0, 1, 1])
    for _ in range(2):
        split = open_split(dataset, None, encoder, tmp_path)
        assert (split.ids.shape, split.sequences.shape) == ((3, 0), (3, 0))
        assert split.user.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("clicks", "message"),
    [
        ([0, 1, 2, 2], "neither 0 nor 1 in 2 rows, for example 2"),
        ([0, None, 1], "in 1 row, for example null"),
        ([1, 1], "is 1 in all 2 rows"),
    ],
)
def test_labels_that_cannot_be_trained_on(tmp_path: Path, clicks: list[Any], message: str) -> None:
    dataset, encoder = _days(tmp_path, clicks)
    with pytest.raises(DataError, match=message):
        open_split(dataset, None, encoder, tmp_path)
    assert folders(tmp_path) == []


def test_a_filter_that_selects_no_rows(
    dataset: ParquetDataset, encoder: Encoder, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="selects no rows"):
        open_split(dataset, "date == 1", encoder, tmp_path)


def test_a_feature_that_is_also_the_user(days: Path, tmp_path: Path) -> None:
    schema = Schema(
        label="click", user="user", features=(CategoricalFeature(name="user", domain="user"),)
    )
    dataset = open_dataset(str(days))
    split = open_split(dataset, None, Encoder.fit(dataset, schema), tmp_path)
    assert len(np.unique(split.user)) == len(np.unique(split.ids)) == 3


@pytest.mark.parametrize("counted", [7, 9])
def test_data_that_changes_between_counting_and_encoding_is_refused(
    days: Path, tmp_path: Path, counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = Schema(
        label="click", user="user", features=(NumericFeature(name="price", domain="x"),)
    )
    dataset = open_dataset(str(days))
    monkeypatch.setattr(cache_module, "_check_labels", lambda *_: counted)
    with pytest.raises(DataError, match="changed while it was read"):
        open_split(dataset, None, Encoder.fit(dataset, schema), tmp_path)
    assert folders(tmp_path) == []
