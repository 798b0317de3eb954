"""The way from a trial to a served model, and back."""
