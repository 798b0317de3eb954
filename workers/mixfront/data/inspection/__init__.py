"""Parquet that nobody has described yet: columns, leaks, and a proposed schema."""
