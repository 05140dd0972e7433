"""Plumbing that every service stands on: process loop, bus, media store, telemetry, settings.

Must not know a domain decision of any service, nor import planning, engines or services.
"""
