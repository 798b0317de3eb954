"""Counts the rows of each split without reading them all: a cheap check of the data."""

from mixfront.data.config import DataConfig
from mixfront.data.dataset import open_dataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.schema import load_schema


def count_rows(config: DataConfig) -> dict[str, int]:
    """Rows of every split, after checking the schema against the columns and their types.

    `Encoder.fit` and `open_split` would raise the same errors. They also check values, which this
    function does not read: a label of 2, a user's age that is text, a split with only one class.

    Raises:
        SchemaError: If the schema is wrong or does not fit the data.
        SpecError: If a filter is wrong, or does not fit the types of the columns.
        DataError: If the data cannot be read, or a filter selects no row.
    """
    schema, dataset = load_schema(config.schema_), open_dataset(config.path)
    Encoder.check(schema, dataset)
    return {split: dataset.count_rows(text) for split, text in config.filters.items()}
