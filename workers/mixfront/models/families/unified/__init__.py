"""UniMixer's framework as a search space (arXiv 2604.00590, Section 3).

config      hyperparameters: which local pattern, which global pattern, what surrounds them
patterns    the patterns to choose from: how each is built and what it costs
block       layer, closed-form cost

Built on `families.unimixer`: its Sinkhorn keys and its block.
"""

from mixfront.models.families.unified.block import UNIFIED

__all__ = ["UNIFIED"]
