"""RankMixer (ByteDance, arXiv 2507.15551).

block           config, layer, closed-form cost
relu_experts    the sparse variant of its per-token FFN
"""

from mixfront.models.families.rankmixer.block import RANKMIXER

__all__ = ["RANKMIXER"]
