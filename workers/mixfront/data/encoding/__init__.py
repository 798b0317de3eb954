"""Raw rows to numbers: vocabularies, scalings, sequences, and the fitted encoder."""
