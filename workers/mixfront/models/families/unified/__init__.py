"""UniMixer's framework as a search space (arXiv 2604.00590, Section 3).

config      hyperparameters: local pattern, global pattern, and the layers around them
patterns    the patterns to choose from: how each is built and what it costs
block       layer, closed-form cost

Uses the Sinkhorn hyperparameters and the block of `families.unimixer`.
"""

from mixfront.models.families.unified.block import UNIFIED

__all__ = ["UNIFIED"]
