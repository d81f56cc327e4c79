"""Tests of worker.tenants.notifications."""
