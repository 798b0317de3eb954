"""Layers shared by several families: norms, attention, per-token FFNs, MLPs."""
