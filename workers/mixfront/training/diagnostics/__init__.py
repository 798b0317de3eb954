"""Whether what a model should learn does: its mixing matrices move, its experts have rows."""
