"""Telling organisations what happened: by which ways, once for each key, in words for people."""
