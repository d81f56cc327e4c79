"""Documents into artifacts."""
