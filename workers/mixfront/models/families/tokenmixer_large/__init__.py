"""TokenMixer-Large (ByteDance, arXiv 2602.06563).

config            hyperparameters and the sizes derived from them
block             layer, closed-form cost
sparse_ffn        the sparse variant of its per-token FFN
expert_linear     its layers, with the dense variant's parameters
grouping          rows grouped by the experts that they selected
packing           groups of similar size in one padded, batched product
grouped_product   products of grouped rows, and what is between them
"""

from mixfront.models.families.tokenmixer_large.block import TOKENMIXER_LARGE

__all__ = ["TOKENMIXER_LARGE"]
