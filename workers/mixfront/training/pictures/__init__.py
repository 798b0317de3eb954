"""Pictures of the mixing that a trial has learned."""
