"""The sandbox, tried by commands that want out of it."""
