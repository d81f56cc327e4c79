"""Redis in memory, on the virtual clock, for the product's own client and Lua scripts."""
