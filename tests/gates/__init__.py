"""Checks of repositories: found, run and judged."""
