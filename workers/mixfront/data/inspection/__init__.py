"""Parquet without a schema yet: its columns, leaks, and a proposed schema."""
