"""GitHub's deliveries: proved genuine, parsed, and planned as jobs."""
