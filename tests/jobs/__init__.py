"""Tests of what a job is, and of every move it makes."""
