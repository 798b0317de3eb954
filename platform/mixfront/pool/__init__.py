"""The driver side of lanes: starts them, leases them to trials, and keeps them alive."""
