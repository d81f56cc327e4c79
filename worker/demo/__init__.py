"""`switchyard demo` and `demo-tenants`: the whole stack at work, followed from end to end."""
