"""Tests of group commit, migrations, the pool and named SQL."""
