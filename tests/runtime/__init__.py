"""Behaviour of runtime against a real nats-server."""
