"""pgqueuer, in an environment of its own."""
