"""Conflicts: the rules, each on documents that break it and on those that nearly do."""
