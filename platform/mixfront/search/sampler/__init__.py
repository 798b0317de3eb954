"""The sampler of a search, by the name in its spec."""
