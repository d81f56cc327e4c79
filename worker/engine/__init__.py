"""How jobs get run: claiming, executing, renewing, reconciling, stopping."""
