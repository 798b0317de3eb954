"""The Ray cluster: joining it, and sending it a search as a job.

Nothing is re-exported: every worker of a job imports `cluster.environment` when it starts.
"""
