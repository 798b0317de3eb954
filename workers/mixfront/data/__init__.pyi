from .batch import NULL, PAD, UNKNOWN, Batch, FeatureLayout, FieldLayout
from .batches import TrainBatches, eval_batches
from .cache import EncodedSplit, open_split
from .config import DataConfig
from .dataset import ParquetDataset, open_dataset
from .encoding.encoder import Encoder
from .encoding.features import EncodedRows
from .filters import Filter, parse_filter
from .schema import Schema, dump_schema, load_schema

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
    "ParquetDataset",
    "Schema",
    "TrainBatches",
    "dump_schema",
    "eval_batches",
    "load_schema",
    "open_dataset",
    "open_split",
    "parse_filter",
]
