"""The Ray cluster: connecting to it, and submitting searches as jobs.

Nothing is re-exported, because every worker of a job imports `cluster.environment` at start.
"""
