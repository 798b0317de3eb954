"""FAT, the Field-Aware Transformer (Alibaba, arXiv 2511.12081).

block            config, layer, closed-form cost
field_weights    where a field's matrices come from: its own, or composed from shared bases
"""

from mixfront.models.families.fat.block import FAT

__all__ = ["FAT"]
