"""GitHub's side of things: showing verdicts there, and asking for deliveries that got lost."""
