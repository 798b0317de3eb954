"""DHEN (Meta, arXiv 2203.11014).

block           config, layer, closed-form cost
interactions    the modules that a layer combines
"""

from mixfront.models.families.dhen.block import DHEN

__all__ = ["DHEN"]
