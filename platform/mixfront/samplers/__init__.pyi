from .candidates import Describe, Known
from .exact_cost_sampler import ExactCostSampler

__all__ = ["Describe", "ExactCostSampler", "Known"]
