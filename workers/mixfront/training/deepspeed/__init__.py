"""DeepSpeed, and all code that relies on its private API."""
