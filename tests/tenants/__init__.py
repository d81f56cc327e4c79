"""Tests of worker.tenants."""
