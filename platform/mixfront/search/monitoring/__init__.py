"""Metrics of a running search for Prometheus, through Ray."""
