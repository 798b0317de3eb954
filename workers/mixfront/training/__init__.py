"""Training of one trial: dense part in DeepSpeed, own embedding tables, metrics, checkpoints.

Names are imported on first use, so that a driver, which needs only configs and requests, does not
import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
