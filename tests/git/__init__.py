"""Tests of worker.git, against real repositories and a real git server."""
