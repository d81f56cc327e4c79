"""The audit log: what is recorded in it, taken in from outside, and read."""
