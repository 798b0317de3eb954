"""Search spaces: YAML files as package data, sampled define-by-run."""

from mixfront.spaces.files import load_space, packaged_spaces
from mixfront.spaces.keys import check_key, split_flat
from mixfront.spaces.space import Enqueued, Space

__all__ = ["Enqueued", "Space", "check_key", "load_space", "packaged_spaces", "split_flat"]
