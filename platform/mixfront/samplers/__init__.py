"""Samplers for Optuna that use what is known about a configuration before it is trained."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
