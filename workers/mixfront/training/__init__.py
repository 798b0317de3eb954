"""Training of one trial: DeepSpeed for the dense part, own tables, metrics, checkpoints.

`TrialSession` and `Predictor` are loaded when they are first asked for: a driver needs the
config and request alone, and should not wait for torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
