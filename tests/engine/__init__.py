"""The engine's parts, in this process, on a real Redis and a real Postgres."""
