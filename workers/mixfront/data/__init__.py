"""Parquet logs to batches: schema, filters, encoder, the node's cache of encoded rows."""

from mixfront.data.batch import NULL, PAD, UNKNOWN, Batch, FeatureLayout, FieldLayout
from mixfront.data.batches import TrainBatches, eval_batches
from mixfront.data.cache import EncodedSplit, open_split
from mixfront.data.config import DataConfig
from mixfront.data.encoding.encoder import Encoder
from mixfront.data.encoding.features import EncodedRows
from mixfront.data.filters import Filter, parse_filter
from mixfront.data.reader import open_dataset, raw_rows
from mixfront.data.schema import Schema, dump_schema, load_schema
from mixfront.data.storage import dataset_digest

__all__ = [
    "NULL",
    "PAD",
    "UNKNOWN",
    "Batch",
    "DataConfig",
    "EncodedRows",
    "EncodedSplit",
    "Encoder",
    "FeatureLayout",
    "FieldLayout",
    "Filter",
    "Schema",
    "TrainBatches",
    "dataset_digest",
    "dump_schema",
    "eval_batches",
    "load_schema",
    "open_dataset",
    "open_split",
    "parse_filter",
    "raw_rows",
]
