"""Checkpoints of a trial: written, verified, loaded, and the one to resume from."""
