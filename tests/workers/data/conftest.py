"""Small data sets that the tests of `mixfront.data` share."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data.config import DataConfig
from mixfront.data.dataset import ParquetDataset, open_dataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.schema import load_schema
from mixfront.data.synthetic.writer import SyntheticReport, write_synthetic


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> SyntheticReport:
    """2,003 synthetic impressions: a prime, which no world size divides."""
    return write_synthetic(tmp_path_factory.mktemp("data") / "logs", 2003, seed=3)


@pytest.fixture(scope="session")
def config(synthetic: SyntheticReport) -> DataConfig:
    return DataConfig(path=synthetic.path, schema_=synthetic.schema, **synthetic.filters)


@pytest.fixture(scope="session")
def dataset(config: DataConfig) -> ParquetDataset:
    return open_dataset(config.path)


@pytest.fixture(scope="session")
def encoder(config: DataConfig, dataset: ParquetDataset) -> Encoder:
    return Encoder.fit(dataset, load_schema(config.schema_), config.train)


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """Two days of four rows each, two row groups per day, written by hand."""
    root = tmp_path / "days"
    for date, first in ((20260101, 0), (20260102, 4)):
        folder = root / f"date={date}"
        folder.mkdir(parents=True)
        table = pa.table(
            {
                "user": [f"u{(first + i) % 3}" for i in range(4)],
                "item": pa.array([10 * (first + i) for i in range(4)], pa.int32()),
                "price": [1.0, 2.0, None, 4.0 + first],
                "seen": [[0, 10], [], None, [10, 70, 20]],
                "click": pa.array([0, 1, 0, 1], pa.int8()),
            }
        )
        pq.write_table(table, folder / "part-0.parquet", row_group_size=2, compression="none")
    return root
