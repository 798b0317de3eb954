"""What limits a search: lanes, budgets, signals and requests to stop."""
