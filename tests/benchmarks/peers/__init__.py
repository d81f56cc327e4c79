"""The peers: what each one is, its script, and the environment that it is locked to."""
