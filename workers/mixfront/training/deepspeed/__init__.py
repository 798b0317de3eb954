"""DeepSpeed, and every place that leans on its private API."""
