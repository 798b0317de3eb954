"""The Pareto front of a search: its trials, hypervolume, charts and picks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
