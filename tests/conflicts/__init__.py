"""Conflicts: the engine."""
