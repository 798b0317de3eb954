"""Inspects Parquet data that has no schema yet: columns, leaks, and a proposed schema."""
