"""The search spec: YAML parsed into one typed, frozen object."""
