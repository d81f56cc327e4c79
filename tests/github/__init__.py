"""Tests of what is said to GitHub, against one of the tests' own that enforces GitHub's rules."""
