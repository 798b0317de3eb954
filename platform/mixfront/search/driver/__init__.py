"""One driver per search: the lease that a driver holds while it runs one."""
