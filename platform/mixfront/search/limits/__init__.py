"""What ends a search before its space is exhausted: budgets, signals and requests to stop."""
