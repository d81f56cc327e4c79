"""The HTTP side: GitHub's webhooks in, and the API."""
