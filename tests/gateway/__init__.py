"""The gateway against a real bus, a real database and real HTTP."""
