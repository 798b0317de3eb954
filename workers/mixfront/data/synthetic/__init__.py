"""A synthetic data set with planted interactions and a known best AUC."""
