"""The study in its database: one writer, which reads it once."""
