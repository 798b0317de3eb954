"""The search spec: YAML into one typed, frozen object."""
