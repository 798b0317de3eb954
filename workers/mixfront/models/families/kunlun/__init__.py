"""Kunlun (Meta), from public notes and unofficial code.

config              hyperparameters and the sizes derived from them
block               layer, closed-form cost
sequence_modules    pooling a behaviour sequence, and two ways of updating it

Each expert is a layer of `families.wukong`.
"""

from mixfront.models.families.kunlun.block import KUNLUN

__all__ = ["KUNLUN"]
