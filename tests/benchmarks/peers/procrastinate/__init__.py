"""procrastinate, in an environment of its own."""
