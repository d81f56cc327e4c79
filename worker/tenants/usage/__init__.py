"""Usage: batches of events come in, are counted once each, and are read by period."""
