"""Limits of usage: their rules, and what follows when one is reached."""
