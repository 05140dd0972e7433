"""Webhooks: what happened to a job, told to a receiver of its owner's choice, at least once."""
