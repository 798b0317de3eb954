"""Keeps the chatter of libraries in log files and off the driver's terminal."""

import logging
import warnings

_CHATTY = ("DeepSpeed", "torch.distributed", "ray.train")


def silence_worker() -> None:
    """What this process logs goes to its log file; Ray forwards consoles to the driver."""
    for name in ("", "ray.train"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setLevel(logging.CRITICAL)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
