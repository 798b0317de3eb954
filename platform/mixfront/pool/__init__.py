"""Lanes, the driver side: who starts them, leases them to trials, and keeps them alive."""
