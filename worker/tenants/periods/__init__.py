"""Usage periods: the calendar, their roll-over, and sums over all organisations."""
