"""Measurements: scripts, not tests."""
