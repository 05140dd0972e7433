"""Who asks, and what they may do: callers, roles, credentials, limits. Must not serve a route."""
