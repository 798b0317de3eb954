"""Keeps the log output of libraries in log files and off the driver's terminal."""

import logging
import warnings

_CHATTY = ("DeepSpeed", "torch.distributed", "ray.train")


def silence_worker() -> None:
    """Keep this process's logs in its log file, as Ray forwards its console to the driver."""
    for name in ("", "ray.train"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setLevel(logging.CRITICAL)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.simplefilter("ignore")
