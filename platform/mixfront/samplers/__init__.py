"""Samplers for Optuna that use what is known about a configuration before it is trained."""
