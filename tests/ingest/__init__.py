"""Ingest: derivatives proved by reading them back, and the service on a real bus."""
