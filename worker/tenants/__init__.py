"""Organisations: what they did and used, what limits them, and what acts on that."""
