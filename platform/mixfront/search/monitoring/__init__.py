"""What a running search shows: its progress, and metrics for Prometheus through Ray."""
