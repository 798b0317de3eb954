"""The three UniMixer families (Kuaishou, arXiv 2604.00590).

config                    hyperparameters that they share: Sinkhorn, temperature, topology
block                     the block that they share, with any two patterns
unimixer                  full mixing matrices
unimixer_lite             basis-composed local matrices, low-rank global logits
unimixer_lite_factored    the same, but the global matrix is never formed
"""

from mixfront.models.families.unimixer.unimixer import UNIMIXER
from mixfront.models.families.unimixer.unimixer_lite import UNIMIXER_LITE
from mixfront.models.families.unimixer.unimixer_lite_factored import UNIMIXER_LITE_FACTORED

__all__ = ["UNIMIXER", "UNIMIXER_LITE", "UNIMIXER_LITE_FACTORED"]
