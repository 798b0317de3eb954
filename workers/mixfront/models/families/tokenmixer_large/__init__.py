"""TokenMixer-Large (ByteDance, arXiv 2602.06563).

config            hyperparameters and the sizes derived from them
block             layer, closed-form cost
sparse_ffn        the sparse variant of its per-token FFN
expert_linear     its layers, with the dense variant's parameters
grouping          rows grouped by the expert that they selected
grouped_product   batched products of grouped rows
"""

from mixfront.models.families.tokenmixer_large.block import TOKENMIXER_LARGE

__all__ = ["TOKENMIXER_LARGE"]
