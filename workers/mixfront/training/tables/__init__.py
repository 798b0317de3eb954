"""Embedding tables, beside the DeepSpeed engine: lookups, sparse optimizers, exchange of rows."""
