"""Outgoing webhooks: endpoints of organisations, what is sent to them, and that it arrives."""
