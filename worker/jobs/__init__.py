"""What a job is: its model, states, queues and payloads, and the ledger that records it."""
