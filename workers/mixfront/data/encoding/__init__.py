"""Encodes raw rows as numbers: vocabularies, scalings, sequences, and the fitted encoder."""
