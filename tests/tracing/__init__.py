"""Tracing, seen from a collector."""
