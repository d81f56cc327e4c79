"""Handlers, run directly against real repositories and a real record."""
