"""Embedding tables outside the DeepSpeed engine: lookups, sparse optimizers, row exchange."""
