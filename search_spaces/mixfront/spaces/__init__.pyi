from .files import load_space, packaged_spaces, save_space
from .keys import check_key, split_flat
from .space import Enqueued, Space

__all__ = [
    "Enqueued",
    "Space",
    "check_key",
    "load_space",
    "packaged_spaces",
    "save_space",
    "split_flat",
]
