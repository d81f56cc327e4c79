"""Finding checks."""
