"""The worker side of a lane: one warm worker group that trains one trial after another."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
