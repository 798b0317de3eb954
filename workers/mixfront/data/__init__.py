"""From Parquet logs to batches: schema, filters, encoder, and the node's cache of encoded rows."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
