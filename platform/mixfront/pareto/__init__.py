"""The Pareto front of a search: who is on it, how much it covers, how it looks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
