"""Real processes, stopped and killed in the middle of their work."""
