"""Search spaces as package data, and their compiler to Optuna's define-by-run."""
