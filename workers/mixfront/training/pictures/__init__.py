"""Pictures of what a trial has learned."""
