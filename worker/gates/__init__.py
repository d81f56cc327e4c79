"""A repository's own checks: found, run in a sandbox, read and judged."""
