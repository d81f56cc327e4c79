"""Postgres in memory: each of the product's statements as one atomic function over plain tables."""
