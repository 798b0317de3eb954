"""Promotes a trial to a registered model, and rolls back a promotion."""
