"""Postgres: the pool, group commit, migrations and named SQL."""
